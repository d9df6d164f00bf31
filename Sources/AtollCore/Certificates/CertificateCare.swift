// SPDX-License-Identifier: Apache-2.0

/// What is to be done for the certificates of a store, and when to look again: one edge of the store
/// does it.
package struct CertificateCare: Equatable, Sendable {
  package enum Task: Equatable, Sendable {
    /// The one for default domains is missing or damaged, does not cover them, or has had its time.
    case makeDefault
    /// One of the local authority's.
    case renewLocal(String)
    /// The CA is asked for the next one, or when it wants to be (RFC 9773).
    case renew(String)

    package var name: String {
      switch self {
      case .makeDefault: DefaultCertificate.name
      case .renewLocal(let name), .renew(let name): name
      }
    }
  }

  package var tasks: [Task]
  /// Seconds since 1970.
  package var next: Int64

  package init(tasks: [Task], next: Int64) {
    self.tasks = tasks
    self.next = next
  }

  /// Seconds after which it looks in any case.
  package static let longest: Int64 = 21_600

  /// - Parameters:
  ///   - defaultNames: what the certificate for default domains must cover; nil where none is wanted.
  ///   - root: of the local authority; nil where there is none.
  ///   - pauses: until when nothing is tried with a certificate, by its name.
  package static func plan(
    _ certificates: [StoredCertificate], defaultNames: [String]?, root: CertificateInfo?,
    pauses: [String: Int64] = [:], now: Int64
  ) -> CertificateCare {
    var care = CertificateCare(tasks: [], next: now + longest)
    if let defaultNames {
      let stored = certificates.first { $0.name == DefaultCertificate.name }
      let leaf = stored?.leaf
      let covers =
        stored.map {
          Set(defaultNames).isSubset(of: $0.domains) && $0.damage == nil
        } ?? false
      if let leaf, covers, root.map({ leaf.isIssued(by: $0) }) ?? false {
        care.add(.makeDefault, at: LocalRenewal.due(leaf), pauses, now)
      } else {
        care.add(.makeDefault, at: now, pauses, now)
      }
    }
    for certificate in certificates {
      // What was never issued is for the command that asked for it; what can't be read is reported.
      guard let leaf = certificate.leaf else { continue }
      switch certificate.source {
      case .imported: continue
      case .local:
        if certificate.name == DefaultCertificate.name, defaultNames != nil { continue }
        let isOthers = root.map { !leaf.isIssued(by: $0) } ?? true
        care.add(
          .renewLocal(certificate.name), at: isOthers ? now : LocalRenewal.due(leaf), pauses, now)
      case .acme:
        let schedule = certificate.schedule(leaf)
        let asks =
          schedule.wantsInformation(at: now) ? now : certificate.renewal.askAgain ?? schedule.next
        care.add(.renew(certificate.name), at: min(schedule.next, asks), pauses, now)
      }
    }
    return care
  }

  private mutating func add(_ task: Task, at due: Int64, _ pauses: [String: Int64], _ now: Int64) {
    let moment = max(due, pauses[task.name] ?? due)
    if moment <= now { tasks.append(task) } else { next = min(next, moment) }
  }
}
