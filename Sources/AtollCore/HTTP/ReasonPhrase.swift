// SPDX-License-Identifier: Apache-2.0

/// The phrase that RFC 9110 §15 and the IANA registry give a status code.
package func reasonPhrase(_ status: UInt16) -> StaticString {
  switch status {
  case 200: "OK"
  case 204: "No Content"
  case 206: "Partial Content"
  case 301: "Moved Permanently"
  case 304: "Not Modified"
  case 307: "Temporary Redirect"
  case 400: "Bad Request"
  case 403: "Forbidden"
  case 404: "Not Found"
  case 405: "Method Not Allowed"
  case 408: "Request Timeout"
  case 412: "Precondition Failed"
  case 413: "Content Too Large"
  case 414: "URI Too Long"
  case 416: "Range Not Satisfiable"
  case 417: "Expectation Failed"
  case 421: "Misdirected Request"
  case 431: "Request Header Fields Too Large"
  case 500: "Internal Server Error"
  case 501: "Not Implemented"
  case 502: "Bad Gateway"
  case 503: "Service Unavailable"
  case 504: "Gateway Timeout"
  case 505: "HTTP Version Not Supported"
  case 508: "Loop Detected"
  default: "Status"
  }
}

/// The status line of an answer that the edge makes itself.
package func appendStatusLine(_ status: UInt16, to buffer: ByteBuffer) {
  buffer.append("HTTP/1.1 ")
  buffer.appendDecimal(UInt64(status))
  buffer.append(" ")
  buffer.append(reasonPhrase(status))
  buffer.append("\r\n")
}
