// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What a server that speaks WebSocket answers to a key (RFC 6455 §4.2.2).
package func webSocketAccept(for key: String) -> String {
  let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
  var digest = [UInt8](repeating: 0, count: 20)
  EVP_Digest(text, text.count, &digest, nil, EVP_sha1(), nil)
  return Base64.encode(digest)
}
