// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// The files that a distribution's error pages name, by path; all that cannot be used are told at
/// once.
package func errorPageFiles(of distribution: Distribution) throws(ConfigError)
  -> [String: ErrorPageFile]
{
  var files: [String: ErrorPageFile] = [:]
  var problems: [ConfigError.Problem] = []
  for (index, response) in distribution.errors.responses.enumerated() {
    guard case .file(let path) = response.page, files[path] == nil else { continue }
    switch readErrorPage(path) {
    case .success(let bytes): files[path] = ErrorPageFile(path: path, bytes: bytes)
    case .failure(let trouble):
      problems.append(
        ConfigError.Problem(
          where: "\(distribution.name).json: errors.responses[\(index)].page.file",
          what: "the file \"\(path)\" \(trouble.what)", hint: trouble.hint))
    }
  }
  if !problems.isEmpty { throw ConfigError(problems: problems) }
  return files
}

private struct FileTrouble: Error {
  let what: String
  let hint: String
}

private func readErrorPage(_ path: String) -> Result<[UInt8], FileTrouble> {
  guard path.hasPrefix("/") else {
    return .failure(
      FileTrouble(what: "is no absolute path", hint: "write the path from the root on"))
  }
  // A pipe must not hold up the edge.
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { return .failure(unreadable(errno)) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { return .failure(unreadable(errno)) }
  guard status.st_mode & S_IFMT == S_IFREG else {
    return .failure(FileTrouble(what: "is no file", hint: "name the page's file"))
  }
  guard status.st_size <= Limits.errorPageFile else {
    return .failure(
      FileTrouble(
        what: "has \(status.st_size) bytes, more than \(Limits.errorPageFile)",
        hint: "make it smaller, or let the origin serve it and name its path"))
  }
  var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
  var filled = 0
  while filled < bytes.count {
    let count = bytes.withUnsafeMutableBytes {
      read(descriptor, $0.baseAddress! + filled, $0.count - filled)
    }
    if count < 0 && errno == EINTR { continue }
    if count < 0 { return .failure(unreadable(errno)) }
    // It has become shorter meanwhile.
    if count == 0 { break }
    filled += count
  }
  return .success(Array(bytes[..<filled]))
}

private func unreadable(_ error: Int32) -> FileTrouble {
  switch error {
  case ENOENT, ENOTDIR:
    FileTrouble(what: "does not exist", hint: "put it there, or name another")
  case EACCES, EPERM:
    FileTrouble(what: "may not be read", hint: "let the user that atoll serve runs as read it")
  default:
    FileTrouble(
      what: "cannot be read: \(SystemCall.errorText(error))",
      hint: "put it in order, or name another")
  }
}
