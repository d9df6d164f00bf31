// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

extension DirectoryStore {
  package func watch(_ prefix: String, _ changed: @escaping @Sendable (StoreChange) -> Void)
    throws(StoreError) -> any StoreWatch
  {
    try StoreKey.checkPrefix(prefix)
    return try DirectoryWatch(
      directory: "\(home)/\(prefix.dropLast())", prefix: prefix, counter: counterPath,
      changed: changed)
  }
}

/// A thread that reads inotify's events for one directory, which need not exist yet.
private final class DirectoryWatch: StoreWatch {
  private let stop: Int32
  private let thread: Mutex<pthread_t?>

  init(
    directory: String, prefix: String, counter: String,
    changed: @escaping @Sendable (StoreChange) -> Void
  ) throws(StoreError) {
    stop = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    if stop < 0 { throw .system(errno, "watch", directory) }
    let watcher = Watcher(
      directory: directory, prefix: prefix, counter: counter, stop: stop, changed: changed)
    // Before this returns, so that no later change is missed.
    watcher.arrange()
    let box = Unmanaged.passRetained(watcher)
    var created = pthread_t()
    let error = pthread_create(
      &created, nil,
      { argument in
        csystem_name_thread("store watch")
        Unmanaged<Watcher>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    if error != 0 {
      box.release()
      _ = close(stop)
      throw .system(error, "watch", directory)
    }
    thread = Mutex(created)
  }

  deinit {
    cancel()
    _ = close(stop)
  }

  func cancel() {
    let running: pthread_t? = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let running else { return }
    eventfd_write(stop, 1)
    // A callback that cancels can't wait for itself.
    if pthread_equal(running, pthread_self()) != 0 {
      pthread_detach(running)
    } else {
      pthread_join(running, nil)
    }
  }
}

/// Everything here runs on the watch's thread, but the first `arrange`, which runs before it.
private final class Watcher: @unchecked Sendable {
  private let directory: String
  private let prefix: String
  private let counter: String
  private let stop: Int32
  private let changed: @Sendable (StoreChange) -> Void
  private let notify: Int32
  private var target: Target = .none
  /// Directories of long keys, by watch descriptor: what their keys begin with.
  private var longKeys: [Int32: String] = [:]
  /// Directories that are values, by watch descriptor: their names.
  private var folders: [Int32: String] = [:]
  /// What the directory looked like, compared where inotify can't be had.
  private var signature: [String: Signature] = [:]

  private enum Target: Equatable {
    case none
    /// The directory itself, by its inode.
    case directory(watch: Int32, inode: UInt64)
    /// The nearest one above that exists.
    case above(watch: Int32)
  }

  private struct Signature: Equatable {
    var inode: UInt64
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  /// Milliseconds after which a look makes sure that the watched directory is still the one at
  /// that path: inotify tells nothing when a directory above is renamed.
  private static let check: Int32 = 2_000
  /// The same without inotify: then looking is all there is.
  private static let look: Int32 = 200

  private static let contentMask = UInt32(
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF
      | IN_MOVE_SELF | IN_ONLYDIR)
  private static let arrivalMask = UInt32(
    IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

  init(
    directory: String, prefix: String, counter: String, stop: Int32,
    changed: @escaping @Sendable (StoreChange) -> Void
  ) {
    self.directory = directory
    self.prefix = prefix
    self.counter = counter
    self.stop = stop
    self.changed = changed
    // Fails where a user has used up the instances; looking takes its place.
    notify = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
  }

  deinit { if notify >= 0 { _ = close(notify) } }

  func run() {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: 16_384, alignment: 8)
    defer { buffer.deallocate() }
    while true {
      var waits = [
        pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
        pollfd(fd: notify, events: Int16(POLLIN), revents: 0),
      ]
      let count = poll(&waits, 2, notify >= 0 ? Self.check : Self.look)
      if waits[0].revents != 0 { return }
      if count < 0 && errno != EINTR { usleep(100_000) }
      if let change = notify >= 0 ? events(buffer) : differenceOnLooking() {
        waitForWriter()
        changed(change)
      }
    }
  }

  /// inotify tells of a write when its file is in place, a moment before the store's revision
  /// covers it: who reads at once would never learn the number. A writer keeps the lock until then.
  private func waitForWriter() {
    let file = open(counter, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    for _ in 0..<1_000 {
      if flock(file, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK { break }
      usleep(500)
    }
    _ = close(file)
  }

  /// Watches the directory, or while it does not exist the nearest one above it.
  func arrange() {
    guard notify >= 0 else {
      signature = look()
      return
    }
    removeWatches()
    // Once more whenever the directory appears between the two looks.
    for _ in 0..<16 {
      if watchDirectory() { return }
      var path = directory[...]
      while let slash = path.lastIndex(of: "/") {
        path = path[..<slash]
        let above = path.isEmpty ? "/" : String(path)
        let watch = inotify_add_watch(notify, above, Self.arrivalMask)
        if watch >= 0 {
          target = .above(watch: watch)
          break
        }
        if path.isEmpty { break }
      }
      if inode(of: nextBelow(path)) == nil { return }
      removeWatches()
    }
  }

  /// The directory one level below `path` towards the target.
  private func nextBelow(_ path: Substring) -> String {
    let rest = directory.dropFirst(path.count + 1)
    return "\(path)/\(rest.prefix { $0 != "/" })"
  }

  private func watchDirectory() -> Bool {
    let watch = inotify_add_watch(notify, directory, Self.contentMask)
    guard watch >= 0, let inode = inode(of: directory) else { return false }
    target = .directory(watch: watch, inode: inode)
    for name in (try? StoreFile.names(in: directory)) ?? [] {
      if hasFolders {
        watchFolder(name)
      } else if name.hasSuffix("+") {
        watchLongKeys(name)
      }
    }
    return true
  }

  private var hasFolders: Bool { StoreFolder.directories.contains(String(prefix.dropLast())) }

  /// Follows what people change in a value's files; the store itself replaces the directory.
  private func watchFolder(_ name: String) {
    if name.hasPrefix(".") { return }
    for (watch, known) in folders where known == name {
      inotify_rm_watch(notify, watch)
      folders[watch] = nil
    }
    let watch = inotify_add_watch(notify, "\(directory)/\(name)", Self.contentMask)
    if watch >= 0 { folders[watch] = name }
  }

  private func watchLongKeys(_ name: String) {
    let watch = inotify_add_watch(notify, "\(directory)/\(name)", Self.contentMask)
    if watch >= 0 { longKeys[watch] = String(name.dropLast()) }
  }

  private func removeWatches() {
    switch target {
    case .none: break
    case .directory(let watch, _), .above(let watch): inotify_rm_watch(notify, watch)
    }
    for watch in longKeys.keys { inotify_rm_watch(notify, watch) }
    for watch in folders.keys { inotify_rm_watch(notify, watch) }
    target = .none
    longKeys = [:]
    folders = [:]
  }

  private func inode(of path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  /// Reads all waiting events; nil when none of them matters.
  private func events(_ buffer: UnsafeMutableRawPointer) -> StoreChange? {
    var keys: Set<String> = []
    var isAnything = false
    var isLost = false
    while true {
      let count = retry { read(notify, buffer, 16_384) }
      if count <= 0 { break }
      var offset = 0
      while offset < count {
        let event = (buffer + offset).assumingMemoryBound(to: inotify_event.self)
        let nameStart = buffer + offset + MemoryLayout<inotify_event>.size
        let name =
          event.pointee.len == 0
          ? "" : String(cString: nameStart.assumingMemoryBound(to: CChar.self))
        offset += MemoryLayout<inotify_event>.size + Int(event.pointee.len)
        switch meaning(event.pointee.wd, event.pointee.mask, name) {
        case .key(let key): keys.insert(key)
        case .anything: isAnything = true
        case .lost: isLost = true
        case .nothing: break
        }
      }
    }
    switch target {
    case .directory(_, let inode): if inode != self.inode(of: directory) { isLost = true }
    case .above: if inode(of: directory) != nil { isLost = true }
    case .none: isLost = true
    }
    if isLost {
      let before = target
      arrange()
      // While the directory is missing, steps towards it are no change.
      if case .directory = target { isAnything = true }
      if case .directory = before { isAnything = true }
    }
    if isAnything { return .anything }
    return keys.isEmpty ? nil : .keys(keys.sorted())
  }

  private enum Meaning { case key(String), anything, lost, nothing }

  private func meaning(_ watch: Int32, _ mask: UInt32, _ name: String) -> Meaning {
    if mask & UInt32(IN_Q_OVERFLOW) != 0 { return .anything }
    if let folder = folders[watch] {
      if mask & UInt32(IN_IGNORED) != 0 { folders[watch] = nil }
      let isWritten = mask & UInt32(IN_CREATE) == 0 && StoreFolder.isFile(name)
      return isWritten ? .key(prefix + folder) : .nothing
    }
    var head = ""
    if let long = longKeys[watch] {
      head = long
    } else {
      switch target {
      case .directory(let own, _) where own == watch:
        if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 { return .lost }
      case .above(let own) where own == watch: return .lost
      default: return .nothing
      }
      if hasFolders {
        if name.hasPrefix(".") { return .nothing }
        if mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 { watchFolder(name) }
        return mask & UInt32(IN_CREATE) != 0 ? .nothing : .key(prefix + name)
      }
      if name.hasSuffix("+") {
        if mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 { watchLongKeys(name) }
        return .anything
      }
    }
    // The creation of a file says nothing yet: it is closed after writing or renamed into place.
    if mask & UInt32(IN_CREATE) != 0 && mask & UInt32(IN_CLOSE_WRITE) == 0 { return .nothing }
    if let key = StoreKey.name(ofFile: name) { return .key(prefix + head + key) }
    // Closed by the kernel for a holder that died.
    if name.hasSuffix(DirectoryStore.lockSuffix), !name.hasPrefix(".") {
      return .key(prefix + head + name.dropLast(DirectoryStore.lockSuffix.utf8.count))
    }
    return .nothing
  }

  private func differenceOnLooking() -> StoreChange? {
    let now = look()
    defer { signature = now }
    return now == signature ? nil : .anything
  }

  private func look() -> [String: Signature] {
    var result: [String: Signature] = [:]
    for name in (try? StoreFile.names(in: directory)) ?? [] where !name.hasPrefix(".") {
      var status = stat()
      guard stat("\(directory)/\(name)", &status) == 0 else { continue }
      result[name] = Signature(
        inode: UInt64(status.st_ino), size: Int(status.st_size),
        seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
    return result
  }
}
