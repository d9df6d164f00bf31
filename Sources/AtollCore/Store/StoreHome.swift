// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Opens the store that the environment names. Nothing is created before the first write.
package func openStore(environment: [String: String]) throws(StoreError) -> any Store {
  DirectoryStore(home: try DirectoryStore.home(environment: environment, isRoot: geteuid() == 0))
}

extension DirectoryStore {
  /// ATOLL_HOME, else /var/lib/atoll for root, else `$XDG_DATA_HOME/atoll`, else
  /// `~/.local/share/atoll`. An empty variable counts as none.
  package static func home(environment: [String: String], isRoot: Bool) throws(StoreError)
    -> String
  {
    func value(_ name: String) -> String? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      return text
    }
    if let home = value("ATOLL_HOME") { return absolute(home) }
    if isRoot { return "/var/lib/atoll" }
    // The XDG specification has relative paths ignored.
    if let data = value("XDG_DATA_HOME"), data.hasPrefix("/") { return absolute("\(data)/atoll") }
    if let home = value("HOME"), home.hasPrefix("/") {
      return absolute("\(home)/.local/share/atoll")
    }
    throw .noHome
  }

  /// Absolute, since the process may change its directory, and without slashes at its end.
  private static func absolute(_ path: String) -> String {
    var path = path
    if !path.hasPrefix("/"), let current = getcwd(nil, 0) {
      path = "\(String(cString: current))/\(path)"
      free(current)
    }
    while path.utf8.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
