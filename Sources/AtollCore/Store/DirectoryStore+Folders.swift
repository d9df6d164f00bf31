// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

// A folder's files belong together: a certificate and the key of another one are worth nothing. So a
// write makes a new directory and exchanges it with the old one in a single step, and a reader holds
// the directory open from which it reads.
extension DirectoryStore {
  package func path(of member: String, in key: String) -> String? {
    guard let place = try? StoreKey(key), place.isFolder,
      let file = StoreFolder.members.first(where: { $0.key == member })?.file
    else { return nil }
    return "\(home)/\(place.file)/\(file)"
  }

  /// nil when there is none.
  /// - Parameter directory: to which the path is relative.
  func readFolder(_ key: String, _ path: String, in directory: Int32) throws(StoreError)
    -> StoredValue?
  {
    // Again when it has been replaced meanwhile, which takes a writer milliseconds.
    for _ in 0..<1_000 {
      var place = path
      var folder = try StoreFile.open(place, O_RDONLY | O_DIRECTORY, in: directory)
      if folder == nil {
        place = Self.asidePath(path)
        folder = try StoreFile.open(place, O_RDONLY | O_DIRECTORY, in: directory)
      }
      guard let folder else {
        // Put in place between the two looks.
        if faccessat(directory, path, F_OK, 0) == 0 { continue }
        return nil
      }
      let value = try readFolder(key, folder)
      var now = stat()
      let status = try folder.status()
      if fstatat(directory, place, &now, 0) == 0, now.st_ino == status.st_ino,
        now.st_dev == status.st_dev
      {
        return value
      }
    }
    throw .failed(action: "read", place: path, why: "it is replaced all the time")
  }

  private func readFolder(_ key: String, _ folder: borrowing StoreFile) throws(StoreError)
    -> StoredValue?
  {
    func file(_ name: String) throws(StoreError) -> [UInt8]? {
      do throws(StoreError) {
        guard let file = try StoreFile.open(name, O_RDONLY, in: folder.descriptor) else {
          return nil
        }
        return try file.readAll(limit: Self.valueLimit)
      } catch {
        throw error.below(folder.place)
      }
    }
    guard let document = try file(StoreFolder.document) else { return nil }
    var texts: [(key: String, bytes: [UInt8])] = []
    for member in StoreFolder.members {
      if let bytes = try file(member.file) { texts.append((member.key, bytes)) }
    }
    return StoredValue(
      key: key, revision: Self.revision(in: document),
      value: StoreFolder.join(document, texts))
  }

  /// The names of the folders in a directory among its entries.
  func folders(in directory: String, _ entries: [String]) -> [String] {
    var names: Set<String> = []
    for entry in entries {
      let isAside = entry.hasPrefix(Self.asidePrefix)
      let name = isAside ? String(entry.dropFirst(Self.asidePrefix.utf8.count)) : entry
      if name.hasPrefix(".") { continue }
      let path = "\(directory)/\(name)"
      // One that is just being replaced may be found in either place, at last in the first again.
      if [path, Self.asidePath(path), path].contains(where: hasDocument) { names.insert(name) }
    }
    return names.sorted()
  }

  /// What may not be looked into counts as having one: reading it tells.
  private func hasDocument(_ folder: String) -> Bool {
    access("\(folder)/\(StoreFolder.document)", F_OK) == 0 || errno == EACCES
  }

  // MARK: Writing, under the store's lock

  func writeFolder(_ temporary: String, _ value: [UInt8]) throws(StoreError) {
    if mkdir(temporary, 0o700) != 0 { throw .system(errno, "create", temporary) }
    try step(.temporaryOpened)
    for file in StoreFolder.split(value) {
      let path = "\(temporary)/\(file.name)"
      guard let opened = try StoreFile.open(path, O_WRONLY | O_CREAT | O_EXCL) else {
        throw .system(ENOENT, "create", path)
      }
      try opened.writeAll(file.bytes)
      try opened.synchronize()
      try step(.temporaryWritten)
    }
    try StoreFile.synchronize(directory: temporary)
  }

  /// Puts the new folder where the old one may be; afterwards the temporary path holds the old one.
  func replaceFolder(_ path: String, by temporary: String) throws(StoreError) {
    var status = stat()
    if lstat(path, &status) != 0 {
      if rename(temporary, path) != 0 { throw .system(errno, "write", path) }
      return
    }
    if exchangesFolders, csystem_exchange(temporary, path) == 0 { return }
    let error = exchangesFolders ? errno : EINVAL
    // What filesystems say that cannot exchange, such as NFS.
    guard error == EINVAL || error == ENOSYS || error == ENOTSUP else {
      throw .system(error, "write", path)
    }
    // In two steps, between which readers find the old one aside.
    let aside = Self.asidePath(path)
    if rename(path, aside) != 0 { throw .system(errno, "write", path) }
    try step(.numbered)
    if rename(temporary, path) != 0 {
      let error = errno
      _ = rename(aside, path)
      throw .system(error, "write", path)
    }
    // First out of the readers' sight, so that none takes what is left of it for the whole.
    _ = rename(aside, temporary)
  }

  /// Brings back what a writer had put aside when it died, or removes it when it was done with it.
  func settleAside(in directory: String) {
    guard let names = try? StoreFile.names(in: directory) else { return }
    for name in names where name.hasPrefix(Self.asidePrefix) {
      let path = "\(directory)/\(name.dropFirst(Self.asidePrefix.utf8.count))"
      let isDone = access(path, F_OK) == 0
      _ = rename("\(directory)/\(name)", isDone ? "\(directory)/\(Self.temporaryPrefix)old" : path)
    }
  }

  private static let asidePrefix = ".old-"

  private static func asidePath(_ path: String) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return (parts.dropLast() + ["\(asidePrefix)\(parts.last ?? "")"]).joined(separator: "/")
  }
}
