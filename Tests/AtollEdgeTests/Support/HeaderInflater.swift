// SPDX-License-Identifier: Apache-2.0
import CHTTP2
import TestSupport

/// nghttp2's decoder of HPACK.
final class HeaderInflater {
  private let inflater: OpaquePointer

  init() {
    var inflater: OpaquePointer?
    nghttp2_hd_inflate_new(&inflater)
    self.inflater = inflater!
  }

  deinit { nghttp2_hd_inflate_del(inflater) }

  /// What the acknowledgment of settings does.
  /// - Returns: whether it could be.
  @discardableResult
  func setTableSize(_ size: Int) -> Bool {
    nghttp2_hd_inflate_change_table_size(inflater, size) == 0
  }

  /// Of both tables.
  var entryCount: Int { nghttp2_hd_inflate_get_num_table_entries(inflater) }

  /// The fields of a whole block; nil when it is none.
  func fields(_ block: [UInt8]) -> [BlockField]? {
    var fields: [BlockField] = []
    var at = 0
    while true {
      var field = nghttp2_nv()
      var flags: Int32 = 0
      let used = block.withUnsafeBufferPointer {
        nghttp2_hd_inflate_hd2(
          inflater, &field, &flags, $0.baseAddress.map { $0 + at }, block.count - at, 1)
      }
      guard used >= 0 else { return nil }
      at += used
      let isField = flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0
      if isField {
        fields.append(
          BlockField(
            Array(UnsafeBufferPointer(start: field.name, count: field.namelen)),
            Array(UnsafeBufferPointer(start: field.value, count: field.valuelen))))
      }
      if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
        nghttp2_hd_inflate_end_headers(inflater)
        return fields
      }
      if used == 0 && !isField { return nil }
    }
  }
}
