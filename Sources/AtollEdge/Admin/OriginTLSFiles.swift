// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the TLS settings of a distribution's origins name; all that cannot be used is told at once.
package func originTLSFiles(of distribution: Distribution) throws(ConfigError) -> OriginTLSFiles {
  var files = OriginTLSFiles()
  var problems: [ConfigError.Problem] = []
  var origins = [("origin", distribution.origin)]
  for named in distribution.origins { origins.append(("origins.\(named.name)", named.origin)) }
  for (place, origin) in origins where origin.usesTLS {
    do throws(OriginTLSTrouble) {
      try files.add(origin.tls)
    } catch {
      problems.append(
        ConfigError.Problem(
          where: "\(distribution.name).json: \(place).tls.\(error.key)", what: error.what,
          hint: error.trouble.hint))
    }
  }
  if !problems.isEmpty { throw ConfigError(problems: problems) }
  return files
}
