// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import Synchronization
import Testing

/// A resolver whose lookups and clock the test holds in its hands.
private final class Names: Sendable {
  struct State {
    var now: Int64 = 1_000_000
    var answer: Resolver.Answer
    var lifetime: Int64?
    var lookups = 0
    var lifetimeLookups = 0
    var isHeld = false
  }

  let state: Mutex<State>
  private let gate = Monitor()

  init(_ answer: Resolver.Answer, lifetime: Int64? = nil) {
    state = Mutex(State(answer: answer, lifetime: lifetime))
  }

  func makeResolver(threads: Int = 1) -> Resolver {
    Resolver(
      pool: WorkerPool(threads: threads),
      source: .init(
        addresses: { _ in
          self.gate.withLock {
            while self.state.withLock({ $0.isHeld }) { self.gate.wait() }
          }
          return self.state.withLock { state in
            state.lookups += 1
            return state.answer
          }
        },
        lifetime: { _, _ in
          self.state.withLock { state in
            state.lifetimeLookups += 1
            return state.lifetime
          }
        }),
      clock: { self.state.withLock { $0.now } })
  }

  var lookups: Int { state.withLock { $0.lookups } }

  func advance(_ milliseconds: Int64) { state.withLock { $0.now += milliseconds } }

  func answer(_ answer: Resolver.Answer) { state.withLock { $0.answer = answer } }

  func hold() { state.withLock { $0.isHeld = true } }

  func release() {
    gate.withLock { state.withLock { $0.isHeld = false } }
    gate.broadcast()
  }

  /// Waits for what a worker does; the bound is only met by a failing test.
  func wait(until condition: (State) -> Bool) -> Bool {
    for _ in 0..<2000 {
      if state.withLock({ condition($0) }) { return true }
      usleep(1000)
    }
    return false
  }
}

/// Collects answers, in whatever thread they arrive.
private final class Answers: Sendable {
  private let list = Mutex<[Resolver.Answer]>([])

  var reply: Resolver.Reply { { answer in self.list.withLock { $0.append(answer) } } }

  var now: [Resolver.Answer] { list.withLock { $0 } }

  func waitFor(_ count: Int) -> [Resolver.Answer] {
    for _ in 0..<2000 where now.count < count { usleep(1000) }
    return now
  }
}

struct ResolverTests {
  private static let first = SocketAddress(host: "192.0.2.1", port: 0)!
  private static let second = SocketAddress(host: "192.0.2.2", port: 0)!
  private static let origin = "origin.example"

  private func ask(_ resolver: Resolver, port: UInt16 = 80) -> Resolver.Answer {
    let answers = Answers()
    resolver.resolve(host: Self.origin, port: port, reply: answers.reply)
    return answers.waitFor(1)[0]
  }

  @Test(arguments: ["192.0.2.9", "2001:db8::9"])
  func `a literal address is answered at once and never looked up`(host: String) {
    let names = Names(.failure(.failed))
    let answers = Answers()
    names.makeResolver().resolve(host: host, port: 81, reply: answers.reply)
    #expect(answers.now == [.success([SocketAddress(host: host, port: 81)!])])
    #expect(names.lookups == 0)
  }

  @Test(arguments: ["localhost", "shop.localhost"])
  func `localhost means this machine without a lookup`(host: String) throws {
    let names = Names(.failure(.failed))
    let answers = Answers()
    names.makeResolver().resolve(host: host, port: 81, reply: answers.reply)
    let addresses = try #require(answers.now.first).get()
    #expect(addresses.map(\.description) == ["127.0.0.1:81", "[::1]:81"])
    #expect(names.lookups == 0)
  }

  @Test func `an answer is used for 30 seconds at most`() {
    let names = Names(.success([Self.first]), lifetime: 3600)
    let resolver = names.makeResolver()
    #expect(ask(resolver) == .success([Self.first.withPort(80)]))
    #expect(names.wait { $0.lifetimeLookups == 1 })
    names.answer(.success([Self.second]))
    names.advance(22_000)
    #expect(ask(resolver) == .success([Self.first.withPort(80)]))
    #expect(names.lookups == 1)
    names.advance(8_000)
    #expect(ask(resolver, port: 81) == .success([Self.second.withPort(81)]))
  }

  @Test func `an answer is used as long as its record holds`() {
    let names = Names(.success([Self.first]), lifetime: 5)
    let resolver = names.makeResolver()
    _ = ask(resolver)
    #expect(names.wait { $0.lifetimeLookups == 1 })
    // The worker stores the lifetime right after; the same thread runs the next lookup.
    names.answer(.success([Self.second]))
    names.advance(5_000)
    var answer = ask(resolver)
    for _ in 0..<2000 where answer == .success([Self.first.withPort(80)]) {
      usleep(1000)
      answer = ask(resolver)
    }
    #expect(answer == .success([Self.second.withPort(80)]))
  }

  @Test func `an answer near its end is refreshed while it is still used`() {
    let names = Names(.success([Self.first]))
    let resolver = names.makeResolver()
    _ = ask(resolver)
    names.answer(.success([Self.second]))
    names.advance(23_000)
    let answers = Answers()
    resolver.resolve(host: Self.origin, port: 80, reply: answers.reply)
    #expect(answers.now == [.success([Self.first.withPort(80)])])
    #expect(names.wait { $0.lookups == 2 })
    for _ in 0..<2000 where ask(resolver) != .success([Self.second.withPort(80)]) { usleep(1000) }
    #expect(ask(resolver) == .success([Self.second.withPort(80)]))
    #expect(names.lookups == 2)
  }

  @Test func `callers at the same time share one lookup`() {
    let names = Names(.success([Self.first]))
    names.hold()
    let resolver = names.makeResolver(threads: 4)
    let answers = Answers()
    for port in 1...100 {
      resolver.resolve(host: Self.origin, port: UInt16(port), reply: answers.reply)
    }
    #expect(answers.now.isEmpty)
    names.release()
    let all = answers.waitFor(100)
    #expect(Set(all.compactMap { try? $0.get().first?.port }).count == 100)
    #expect(names.lookups == 1)
  }

  @Test func `old addresses stay in use while lookups fail`() {
    let names = Names(.success([Self.first]))
    let resolver = names.makeResolver()
    _ = ask(resolver)
    names.answer(.failure(.noAnswer))
    names.advance(60_000)
    #expect(ask(resolver) == .success([Self.first.withPort(80)]))
    #expect(names.lookups == 2)
    // Believed for a second, then tried again without keeping anyone waiting.
    names.advance(500)
    _ = ask(resolver)
    #expect(names.lookups == 2)
    names.answer(.success([Self.second]))
    names.advance(500)
    let answers = Answers()
    resolver.resolve(host: Self.origin, port: 80, reply: answers.reply)
    #expect(answers.now == [.success([Self.first.withPort(80)])])
    for _ in 0..<2000 where ask(resolver) != .success([Self.second.withPort(80)]) { usleep(1000) }
    #expect(ask(resolver) == .success([Self.second.withPort(80)]))
  }

  @Test func `old addresses are used when a lookup hangs`() {
    let names = Names(.success([Self.first]))
    let resolver = names.makeResolver()
    _ = ask(resolver)
    names.hold()
    names.advance(60_000)
    let patient = Answers()
    resolver.resolve(host: Self.origin, port: 80, reply: patient.reply)
    names.advance(Resolver.patience)
    let answers = Answers()
    resolver.resolve(host: Self.origin, port: 80, reply: answers.reply)
    #expect(answers.now == [.success([Self.first.withPort(80)])])
    names.release()
    #expect(patient.waitFor(1).count == 1)
  }

  @Test func `a failure is believed for one second`() {
    let names = Names(.failure(.unknownName))
    let resolver = names.makeResolver()
    #expect(ask(resolver) == .failure(.unknownName))
    names.advance(999)
    #expect(ask(resolver) == .failure(.unknownName))
    #expect(names.lookups == 1)
    names.answer(.success([Self.first]))
    names.advance(1)
    #expect(ask(resolver) == .success([Self.first.withPort(80)]))
  }

  @Test func `the system's resolver tells a name that cannot exist`() {
    // RFC 6761 §6.4: never registered. Without a name server there is no answer instead.
    let answer = Resolver.Source.system.addresses("no-such-name.invalid")
    #expect(throws: ResolveError.self) { try answer.get() }
  }

  // A response to "a.example A": a CNAME with 300 seconds, then an A record with 20.
  private static let response: [UInt8] =
    [0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0] + [1, 97, 7] + Array("example".utf8)
    + [0, 0, 1, 0, 1] + [0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 0x2c, 0, 4, 1, 98, 0xc0, 14]
    + [0xc0, 37, 0, 1, 0, 1, 0, 0, 0, 20, 0, 4, 192, 0, 2, 1]

  @Test func `the shortest life on the way to an address counts`() {
    #expect(csystem_answer_ttl(Self.response, Int32(Self.response.count)) == 20)
  }

  @Test func `no truncation of an answer is read beyond its end`() {
    for length in 0..<Self.response.count {
      // An exact copy, so that a sanitizer sees a read past it.
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(length, 1))
      defer { copy.deallocate() }
      copy.initialize(from: Self.response, count: length)
      let ttl = csystem_answer_ttl(copy, Int32(length))
      #expect(ttl == -1 || ttl == 300)
    }
  }

  @Test func `a life with its highest bit set counts as none`() {
    var response = Self.response
    response[response.count - 10] = 0x80
    #expect(csystem_answer_ttl(response, Int32(response.count)) == 0)
  }
}
