// SPDX-License-Identifier: Apache-2.0

/// Names chosen by a `NameSelection`, as patterns. Its owner frees it.
struct NameFilter {
  enum Mode: UInt8 { case none, all, listed, allExcept }

  let mode: Mode
  let names: NameList

  init(_ selection: NameSelection) {
    switch selection {
    case .none: (mode, names) = (.none, NameList())
    case .all: (mode, names) = (.all, NameList())
    case .listed(let listed): (mode, names) = (.listed, NameList(listed))
    case .allExcept(let listed): (mode, names) = (.allExcept, NameList(listed))
    }
  }

  func deallocate() { names.deallocate() }

  func admits(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    switch mode {
    case .none: false
    case .all: true
    case .listed: names.matches(name)
    case .allExcept: !names.matches(name)
    }
  }
}

/// Which cookies or query parameters go to the origin, and which of them are in the key
/// (CloudFront §14, merging cache policy and origin request policy).
///
/// | key \ origin request | none | all | listed O | all except O |
/// |---|---|---|---|---|
/// | none | nothing | all sent | O sent | all but O sent |
/// | all | all keyed | all keyed | all keyed | all keyed |
/// | listed K | K keyed | K keyed, the rest sent | K keyed, O sent | K keyed, all but O sent |
/// | all except K | all but K keyed | the same, K sent | the same, O sent | neither K nor O |
///
/// What is keyed is sent. Dropped names are taken out of the key and so, unless the origin request
/// asks for them, withheld from the origin.
struct SelectedNames {
  /// How a whole set is treated, so that the usual cases need no look at names.
  enum Mode: UInt8 { case none, all, chosen }

  let keyed: Mode
  let sent: Mode
  private let key: NameFilter
  private let request: NameFilter
  private let dropped: NameList
  private let areBothExcluding: Bool
  private let isUnkeyed: Bool

  /// - Parameters:
  ///   - isUnkeyed: what `key` selects is sent, but nothing is keyed: preset `origin`'s cookies, and
  ///     behaviors that cache nothing, to which a list of exceptions in `request` still applies.
  ///   - ordered: keyed and sent in the order of their names, so never as a whole.
  init(
    key: NameSelection, request: NameSelection, isUnkeyed: Bool = false, dropped: [String] = [],
    ordered: Bool = false
  ) {
    self.key = NameFilter(key)
    self.request = NameFilter(request)
    self.dropped = NameList(dropped)
    self.isUnkeyed = isUnkeyed
    areBothExcluding =
      self.request.mode == .allExcept
      && (self.key.mode == .allExcept || (isUnkeyed && self.key.mode == .all))
    func mode(_ filter: NameFilter) -> Mode {
      switch filter.mode {
      case .none: .none
      case .all: ordered || !dropped.isEmpty ? .chosen : .all
      case .listed, .allExcept: .chosen
      }
    }
    keyed = isUnkeyed ? .none : mode(self.key)
    if areBothExcluding {
      sent = .chosen
    } else if self.request.mode == .none {
      sent = mode(self.key)
    } else if self.request.mode == .all && !ordered {
      sent = .all
    } else {
      sent = mode(self.key) == .all ? .all : .chosen
    }
  }

  func deallocate() {
    key.deallocate()
    request.deallocate()
    dropped.deallocate()
  }

  /// Whether everything that is sent is keyed.
  var keysAllSent: Bool {
    if sent == .none || keyed == .all { return true }
    return !isUnkeyed && (request.mode == .none || areBothExcluding)
  }

  func keys(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    !isUnkeyed && selects(name)
  }

  func sends(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    if selects(name) { return true }
    return !areBothExcluding && request.admits(name)
  }

  private func selects(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    key.admits(name) && !(areBothExcluding && !request.admits(name)) && !dropped.matches(name)
  }
}
