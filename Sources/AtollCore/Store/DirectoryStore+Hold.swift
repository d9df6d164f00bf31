// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

// A held key has a lock file beside its value, which its holder keeps locked. The kernel lets go
// of the lock when the process ends, however it ends; the value then counts no more.
extension DirectoryStore {
  package func hold(_ key: String, _ value: [UInt8]) throws(StoreError) -> any StoreHold {
    let place = try StoreKey(key)
    // Key parts of that length have no room for the lock's name.
    if place.directory.hasSuffix("+") { throw .badKey(key) }
    let hold = DirectoryHold(store: self, key: key, place: place)
    try hold.update(value)
    return hold
  }

  func isDeadHold(_ place: StoreKey) -> Bool {
    isUnlocked("\(home)/\(place.directory)/\(place.name)\(Self.lockSuffix)")
  }

  /// Whether a lock file exists that nobody has locked.
  func isUnlocked(_ path: String) -> Bool {
    guard let file = try? StoreFile.open(path, O_RDONLY) else { return false }
    return flock(file.descriptor, LOCK_SH | LOCK_NB) == 0
  }

  /// Removes what the dead held. The caller has the store's lock, without which nobody makes a lock
  /// file: so none is taken for dead between its making and its locking.
  fileprivate func removeDeadHolds(in directory: String) {
    guard let names = try? StoreFile.names(in: directory) else { return }
    for name in names where name.hasSuffix(Self.lockSuffix) {
      let path = "\(directory)/\(name)"
      guard isUnlocked(path) else { continue }
      let base = name.dropLast(Self.lockSuffix.utf8.count)
      _ = unlink("\(directory)/\(base)\(StoreKey.suffix)")
      _ = unlink("\(directory)/\(DirectoryHold.temporaryName(base))")
      _ = unlink(path)
    }
  }
}

private final class DirectoryHold: StoreHold {
  private let store: DirectoryStore
  private let key: String
  private let place: StoreKey
  private let state = Mutex(State())

  private struct State: ~Copyable {
    var lock: StoreFile?
    var isReleased = false
  }

  init(store: DirectoryStore, key: String, place: StoreKey) {
    self.store = store
    self.key = key
    self.place = place
  }

  deinit { release() }

  private var directory: String { "\(store.home)/\(place.directory)" }
  private var lockPath: String { "\(directory)/\(place.name)\(DirectoryStore.lockSuffix)" }
  private var path: String { "\(store.home)/\(place.file)" }

  static func temporaryName(_ name: some StringProtocol) -> String { ".hold-\(name)" }

  func update(_ value: [UInt8]) throws(StoreError) {
    let result: Result<Void, StoreError> = state.withLock { state in
      do throws(StoreError) {
        if state.isReleased { throw .badKey(key) }
        try ensureLock(&state)
        try replaceValue(value)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Takes the lock at first, and again when somebody has removed the store's directory.
  private func ensureLock(_ state: inout State) throws(StoreError) {
    if let links = try state.lock?.status().st_nlink {
      if links > 0 { return }
      state.lock = nil
    }
    try StoreFile.makeDirectory(directory)
    let storeLock = try store.lockStore()
    store.removeDeadHolds(in: directory)
    let deadline = ContinuousClock.now + .seconds(2)
    while state.lock == nil { state.lock = try lockFile(by: deadline) }
    _ = consume storeLock
  }

  /// nil where its holder has removed the file meanwhile: a lock on that would keep nobody out.
  private func lockFile(by deadline: ContinuousClock.Instant) throws(StoreError) -> StoreFile? {
    guard let file = try StoreFile.open(lockPath, O_RDWR | O_CREAT) else {
      throw .system(ENOENT, "create", lockPath)
    }
    while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno != EWOULDBLOCK && errno != EINTR { throw .system(errno, "lock", lockPath) }
      // Somebody may just be looking whether it is locked.
      if ContinuousClock.now >= deadline { throw .held(key) }
      usleep(500)
    }
    if try file.status().st_nlink == 0 { return nil }
    return file
  }

  /// Replaced whole, but not forced to the disk: a machine that loses power has no live holders.
  private func replaceValue(_ value: [UInt8]) throws(StoreError) {
    let temporary = "\(directory)/\(Self.temporaryName(place.name))"
    guard let file = try StoreFile.open(temporary, O_WRONLY | O_CREAT | O_TRUNC) else {
      throw .system(ENOENT, "create", temporary)
    }
    do throws(StoreError) {
      try file.writeAll(value)
      if rename(temporary, path) != 0 { throw .system(errno, "write", path) }
    } catch {
      _ = unlink(temporary)
      throw error
    }
  }

  func release() {
    state.withLock { state in
      state.isReleased = true
      guard state.lock != nil else { return }
      _ = unlink(path)
      _ = unlink(lockPath)
      state.lock = nil
    }
  }
}
