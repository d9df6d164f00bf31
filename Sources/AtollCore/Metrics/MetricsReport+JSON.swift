// SPDX-License-Identifier: Apache-2.0

extension MetricsReport {
  /// The document of the admin socket and of `atoll metrics --json`. Rates and ratios are percent,
  /// null where nothing was asked.
  package func json() -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("time", RFC3339.format(seconds: time))
      writer.member("edges") { writer in
        writer.array { writer in
          for edge in edges { writer.element { edge.write(to: &$0) } }
        }
      }
      writer.member("total") { writer in writer.object { total.write(to: &$0) } }
      writer.member("distributions") { writer in
        writer.array { writer in
          for distribution in distributions {
            writer.element { writer in
              writer.object { writer in
                writer.member("name", distribution.name)
                writer.member("id", distribution.id)
                if let transfer = distribution.transfer {
                  writer.member("transfer") { transfer.write(to: &$0) }
                }
                distribution.history.write(to: &writer)
              }
            }
          }
        }
      }
      writer.member("unclaimed") { writer in writer.object { unclaimed.write(to: &$0) } }
    }
  }
}

extension EdgeFacts {
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.object { writer in
      writer.member("id", id)
      writer.member("started", RFC3339.format(seconds: started))
      writer.member("connections", gauges.connections)
      writer.member("cacheEntries", gauges.cacheEntries)
      writer.member("cacheBytes", gauges.cacheBytes)
      writer.member("memoryUsed", gauges.memoryUsed)
      writer.member("memoryLimit", gauges.memoryLimit)
      writer.member("logLinesLost", gauges.logLinesLost)
      writer.member("compressions", gauges.compressions)
      writer.member("compressionsSkipped", gauges.compressionsSkipped)
      writer.member("handshakes") { writer in
        writer.object { writer in
          handshakes.sinceStart.write(to: &writer)
          writer.member("last5Minutes") { writer in
            writer.object { writer in
              writer.member("seconds", handshakes.seconds)
              handshakes.last5Minutes.write(to: &writer)
            }
          }
        }
      }
      writer.member("http2") { http2.write(to: &$0) }
      writer.member("distributions") { DistributionHealth.write(health, to: &$0) }
      writer.member("certificates") { CertificateExpiry.write(certificates, to: &$0) }
    }
  }
}

extension HandshakeCounts {
  fileprivate func write(to writer: inout DocumentWriter) {
    for end in [HandshakeEnd.full, .resumed, .challenge] {
      writer.member(end.text.description, self[end])
    }
    writer.member("failed", failed)
    writer.member("failures") { writer in
      writer.object { writer in
        for end in HandshakeEnd.failures where self[end] > 0 {
          writer.member(end.text.description, self[end])
        }
      }
    }
  }

  fileprivate init(node: JSONNode) {
    self.init()
    for end in HandshakeEnd.allCases {
      let place = HandshakeEnd.failures.contains(end) ? node["failures"] : node
      self[end] = place?[end.text.description]?.unsigned ?? 0
    }
  }
}

extension HTTP2Counts {
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.object { writer in
      writer.member("connections", connections)
      writer.member("requests", requests)
      writer.member("ended") { writer in
        writer.object { writer in
          for offence in HTTP2Offence.allCases where self[offence] > 0 {
            writer.member(offence.text.description, self[offence])
          }
        }
      }
    }
  }

  fileprivate init(node: JSONNode?) {
    self.init()
    connections = node?["connections"]?.unsigned ?? 0
    requests = node?["requests"]?.unsigned ?? 0
    for offence in HTTP2Offence.allCases {
      add(node?["ended"]?[offence.text.description]?.unsigned ?? 0, to: offence)
    }
  }
}

extension TransferUse {
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.object { writer in
      writer.member("month", month.text)
      writer.member("bytes", bytes)
      writer.member("stored", stored)
      writer.member("quota") { writer in
        if let quota { writer.integer(quota) } else { writer.null() }
      }
      writer.member("percent") { $0.number(percent) }
    }
  }

  fileprivate init?(node: JSONNode) {
    guard let month = node["month"]?.text.flatMap(TransferMonth.init),
      let bytes = node["bytes"]?.unsigned, let stored = node["stored"]?.unsigned, bytes >= stored
    else { return nil }
    self.init(
      month: month, stored: stored, unstored: bytes - stored, quota: node["quota"]?.unsigned)
  }
}

extension TrafficHistory {
  fileprivate func write(to writer: inout DocumentWriter) {
    for (key, window) in [
      ("sinceStart", sinceStart), ("last5Minutes", last5Minutes), ("last60Minutes", last60Minutes),
    ] {
      writer.member(key) { writer in
        writer.object { writer in
          writer.member("seconds", window.seconds)
          window.counts.write(to: &writer)
        }
      }
    }
    writer.member("minutes") { writer in
      writer.array { writer in
        for minute in minutes {
          writer.element { writer in
            writer.object { writer in
              writer.member("start", RFC3339.format(seconds: minute.start))
              minute.counts.write(to: &writer)
            }
          }
        }
      }
    }
  }
}

extension TrafficCounts {
  /// Keys of the status classes, by first digit.
  package static let statusClasses = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]

  /// Sums and rates for people, then the counters themselves; those at zero are left out.
  fileprivate func write(to writer: inout DocumentWriter) {
    writer.member("requests", requests)
    writer.member("bytesDown", bytesDown)
    writer.member("bytesUp", bytesUp)
    writer.member("errorRate4xx") { $0.number(errorRate4xx) }
    writer.member("errorRate5xx") { $0.number(errorRate5xx) }
    writer.member("errorRate") { $0.number(errorRate) }
    writer.member("hitRatio") { $0.number(hitRatio) }
    writer.member("byteHitRatio") { $0.number(byteHitRatio) }
    writer.member("statuses") { writer in
      writer.object { writer in
        for (digit, name) in Self.statusClasses.enumerated() where responses(class: digit) > 0 {
          writer.member(name, responses(class: digit))
        }
      }
    }
    writer.member("outcomes") { writer in
      writer.object { writer in
        for outcome in Outcome.allCases where requests(outcome) > 0 || bytes(outcome) > 0 {
          writer.member(outcome.text.description) { writer in
            writer.object { writer in
              writer.member("requests", requests(outcome))
              writer.member("bytes", bytes(outcome))
            }
          }
        }
      }
    }
    writer.member("otherMethods") { writer in
      writer.object { writer in
        writer.member("bytesDown", otherBytes)
        writer.member("outcomes") { writer in
          writer.object { writer in
            for outcome in Outcome.allCases where otherRequests(outcome) > 0 {
              writer.member(outcome.text.description, otherRequests(outcome))
            }
          }
        }
      }
    }
    writer.member("reasons") { writer in
      writer.object { writer in
        for reason in Reason.allCases where count(reason) > 0 {
          writer.member(reason.text.description, count(reason))
        }
      }
    }
  }
}

// MARK: Reading

extension MetricsReport {
  /// Reads what `json` wrote; nil when it is something else. Unknown keys are left alone: the edge
  /// that answers may be of a later version.
  package init?(json: [UInt8]) {
    guard let root = try? JSONReader.read(json), root["schemaVersion"]?.unsigned == 1,
      let time = root["time"]?.time, let edges = root["edges"]?.elements,
      let total = root["total"].flatMap(TrafficHistory.init(node:)),
      let distributions = root["distributions"]?.elements,
      let unclaimed = root["unclaimed"].flatMap(TrafficHistory.init(node:))
    else { return nil }
    self.init(
      time: time, edges: [], total: total, distributions: [], unclaimed: unclaimed)
    for node in edges {
      guard let facts = EdgeFacts(node: node) else { return nil }
      self.edges.append(facts)
    }
    for node in distributions {
      guard let name = node["name"]?.text, let id = node["id"]?.text,
        let history = TrafficHistory(node: node)
      else { return nil }
      var distribution = DistributionTraffic(name: name, id: id, history: history)
      distribution.transfer = node["transfer"].flatMap(TransferUse.init(node:))
      self.distributions.append(distribution)
    }
  }
}

extension EdgeFacts {
  fileprivate init?(node: JSONNode) {
    guard let id = node["id"]?.text, let started = node["started"]?.time else { return nil }
    self.init(
      id: id, started: started, gauges: EdgeGauges(),
      health: node["distributions"].flatMap(DistributionHealth.read) ?? [],
      certificates: node["certificates"].map(CertificateExpiry.read) ?? [])
    func gauge(_ key: String) -> Int { Int(clamping: node[key]?.unsigned ?? 0) }
    http2 = HTTP2Counts(node: node["http2"])
    gauges.connections = gauge("connections")
    gauges.cacheEntries = gauge("cacheEntries")
    gauges.cacheBytes = gauge("cacheBytes")
    gauges.memoryUsed = gauge("memoryUsed")
    gauges.memoryLimit = gauge("memoryLimit")
    gauges.logLinesLost = node["logLinesLost"]?.unsigned ?? 0
    gauges.compressions = node["compressions"]?.unsigned ?? 0
    gauges.compressionsSkipped = node["compressionsSkipped"]?.unsigned ?? 0
    if let node = node["handshakes"] {
      handshakes.sinceStart = HandshakeCounts(node: node)
      if let recent = node["last5Minutes"] {
        handshakes.last5Minutes = HandshakeCounts(node: recent)
        handshakes.seconds = Int64(clamping: recent["seconds"]?.unsigned ?? 0)
      }
    }
  }
}

extension TrafficHistory {
  fileprivate init?(node: JSONNode) {
    guard let sinceStart = node["sinceStart"].flatMap(TrafficWindow.init(node:)),
      let last5Minutes = node["last5Minutes"].flatMap(TrafficWindow.init(node:)),
      let last60Minutes = node["last60Minutes"].flatMap(TrafficWindow.init(node:)),
      let minutes = node["minutes"]?.elements
    else { return nil }
    self.init(
      sinceStart: sinceStart, last5Minutes: last5Minutes, last60Minutes: last60Minutes,
      minutes: minutes.compactMap { minute in
        minute["start"]?.time.map { MinuteTraffic(start: $0, counts: TrafficCounts(node: minute)) }
      })
  }
}

extension TrafficWindow {
  fileprivate init?(node: JSONNode) {
    guard let seconds = node["seconds"]?.unsigned else { return nil }
    self.init(seconds: Int64(clamping: seconds), counts: TrafficCounts(node: node))
  }
}

extension TrafficCounts {
  fileprivate init(node: JSONNode) {
    self.init()
    let statuses = node["statuses"]
    for (digit, name) in Self.statusClasses.enumerated() {
      add(statuses?[name]?.unsigned ?? 0, at: Layout.statuses + digit)
    }
    let outcomes = node["outcomes"]
    let other = node["otherMethods"]
    for outcome in Outcome.allCases {
      let index = Int(outcome.rawValue)
      let name = outcome.text.description
      let counts = outcomes?[name]
      add(counts?["requests"]?.unsigned ?? 0, at: Layout.requests + index)
      add(counts?["bytes"]?.unsigned ?? 0, at: Layout.bytes + index)
      add(other?["outcomes"]?[name]?.unsigned ?? 0, at: Layout.otherRequests + index)
    }
    add(other?["bytesDown"]?.unsigned ?? 0, at: Layout.otherBytes)
    add(node["bytesUp"]?.unsigned ?? 0, at: Layout.bytesUp)
    let reasons = node["reasons"]
    for reason in Reason.allCases {
      add(
        reasons?[reason.text.description]?.unsigned ?? 0, at: Layout.reasons + Int(reason.rawValue))
    }
  }
}
