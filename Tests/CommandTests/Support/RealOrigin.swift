// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

/// A real server of files, for as long as the value lives.
final class RealOrigin: Sendable {
  let port: UInt16
  /// The files it serves.
  let site: TemporaryDirectory
  private let process: RunningAtoll
  private let place: TemporaryDirectory

  static let hasPython = findProgram("python3") != nil
  static let hasNginx = access("/usr/sbin/nginx", X_OK) == 0

  var url: String { "http://127.0.0.1:\(port)" }

  /// `python3 -m http.server`, which closes after each response and sends Last-Modified only.
  static func python() throws -> RealOrigin {
    let program = try #require(findProgram("python3"))
    let site = TemporaryDirectory()
    let process = RunningAtoll(
      ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", site.path],
      program: program)
    var port: UInt16?
    try wait(for: "python3 to serve") {
      let words = process.printed.split(separator: " ")
      guard let index = words.firstIndex(of: "port"), words.count > index + 1 else { return false }
      port = UInt16(words[index + 1])
      return true
    }
    return RealOrigin(port: try #require(port), site: site, process: process)
  }

  /// nginx with ETags, kept connections and whatever the location says.
  /// - Parameter certificate: of a server over TLS; nil: in the clear.
  static func nginx(_ location: String, certificate: TestCertificate? = nil) throws -> RealOrigin {
    let site = TemporaryDirectory()
    let place = TemporaryDirectory()
    let port = try #require(freePort())
    var tls = ""
    if let certificate {
      let chain = place.write("chain.pem", certificate.chain)
      let key = place.write("key.pem", certificate.key)
      tls = "ssl_certificate \(chain); ssl_certificate_key \(key); add_header X-TLS $ssl_protocol;"
    }
    place.write(
      "nginx.conf",
      """
      daemon off; master_process off; worker_processes 1;
      pid \(place.path)/pid; error_log stderr;
      events {}
      http {
        access_log off; default_type text/plain;
        client_body_temp_path \(place.path); proxy_temp_path \(place.path);
        fastcgi_temp_path \(place.path); uwsgi_temp_path \(place.path);
        scgi_temp_path \(place.path);
        server { listen 127.0.0.1:\(port)\(certificate == nil ? "" : " ssl"); \(tls) root \(site.path); location / { \(location) } }
      }
      """)
    let process = RunningAtoll(
      ["-c", "\(place.path)/nginx.conf", "-p", place.path, "-e", "stderr"],
      program: "/usr/sbin/nginx")
    try wait(for: "nginx to serve; it said: \(process.complained)") {
      let scheme = certificate == nil ? "http" : "https"
      return runAtoll(["test", "--insecure", "--count", "1", "\(scheme)://127.0.0.1:\(port)/"])
        .exitCode == 0
    }
    return RealOrigin(port: port, site: site, process: process, place: place)
  }

  private init(
    port: UInt16, site: TemporaryDirectory, process: RunningAtoll,
    place: TemporaryDirectory = TemporaryDirectory()
  ) {
    self.port = port
    self.site = site
    self.process = process
    self.place = place
  }

  deinit {
    kill(process.pid, SIGKILL)
    _ = process.wait()
  }

  /// What it logged: python3 tells each request on stderr.
  var log: String { process.complained }
}

/// A port that was free a moment ago.
func freePort() -> UInt16? {
  let server = ScriptedServer("")
  defer { server.stop() }
  return server.port
}
