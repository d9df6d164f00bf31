// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The files that a distribution's error pages name, by path; all that cannot be used are told at
/// once.
package func errorPageFiles(of distribution: Distribution) throws(ConfigError)
  -> [String: ErrorPageFile]
{
  var files: [String: ErrorPageFile] = [:]
  var problems: [ConfigError.Problem] = []
  for (index, response) in distribution.errors.responses.enumerated() {
    guard case .file(let path) = response.page, files[path] == nil else { continue }
    do throws(FileTrouble) {
      files[path] = ErrorPageFile(path: path, bytes: try readErrorPage(path))
    } catch {
      problems.append(
        ConfigError.Problem(
          where: "\(distribution.name).json: errors.responses[\(index)].page.file",
          what: "the file \"\(path)\" \(error.what)", hint: error.hint))
    }
  }
  if !problems.isEmpty { throw ConfigError(problems: problems) }
  return files
}

private func readErrorPage(_ path: String) throws(FileTrouble) -> [UInt8] {
  guard path.hasPrefix("/") else {
    throw FileTrouble("is no absolute path", hint: "write the path from the root on")
  }
  return try NamedFile.read(
    path, limit: Limits.errorPageFile,
    remedy: "make it smaller, or let the origin serve it and name its path")
}
