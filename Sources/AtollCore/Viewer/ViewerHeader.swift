// SPDX-License-Identifier: Apache-2.0

/// The header fields that tell the origin about the viewer (CloudFront §14), made by the edge where
/// a behavior asks for them; a viewer's own are always dropped.
package enum ViewerHeader: UInt8, Sendable, CaseIterable {
  case isDesktop = 1
  case isMobile, isTablet, isSmartTV, isAndroid, isIOS
  case forwardedProto
  case country
  case countryName, region, regionName, city, postalCode, metroCode, latitude, longitude, timeZone
  case asn
  case httpVersion, address, headerOrder, headerCount
  case tls

  package var name: StaticString {
    switch self {
    case .isDesktop: "CloudFront-Is-Desktop-Viewer"
    case .isMobile: "CloudFront-Is-Mobile-Viewer"
    case .isTablet: "CloudFront-Is-Tablet-Viewer"
    case .isSmartTV: "CloudFront-Is-SmartTV-Viewer"
    case .isAndroid: "CloudFront-Is-Android-Viewer"
    case .isIOS: "CloudFront-Is-IOS-Viewer"
    case .forwardedProto: "CloudFront-Forwarded-Proto"
    case .country: "CloudFront-Viewer-Country"
    case .countryName: "CloudFront-Viewer-Country-Name"
    case .region: "CloudFront-Viewer-Country-Region"
    case .regionName: "CloudFront-Viewer-Country-Region-Name"
    case .city: "CloudFront-Viewer-City"
    case .postalCode: "CloudFront-Viewer-Postal-Code"
    case .metroCode: "CloudFront-Viewer-Metro-Code"
    case .latitude: "CloudFront-Viewer-Latitude"
    case .longitude: "CloudFront-Viewer-Longitude"
    case .timeZone: "CloudFront-Viewer-Time-Zone"
    case .asn: "CloudFront-Viewer-ASN"
    case .httpVersion: "CloudFront-Viewer-Http-Version"
    case .address: "CloudFront-Viewer-Address"
    case .headerOrder: "CloudFront-Viewer-Header-Order"
    case .headerCount: "CloudFront-Viewer-Header-Count"
    case .tls: "CloudFront-Viewer-TLS"
    }
  }

  /// The header of this name in any case of letters.
  package init?(named name: UnsafeBufferPointer<UInt8>) {
    guard beginsIgnoringCase(name, "cloudfront-") else { return nil }
    for header in Self.allCases {
      let own = UnsafeBufferPointer(
        start: header.name.utf8Start, count: header.name.utf8CodeUnitCount)
      if sameName(own, name) {
        self = header
        return
      }
    }
    return nil
  }

  package init?(named name: String) {
    var name = name
    guard let found = name.withUTF8({ ViewerHeader(named: $0) }) else { return nil }
    self = found
  }

  package var set: ViewerHeaders { ViewerHeaders(rawValue: 1 << UInt32(rawValue)) }
}

package struct ViewerHeaders: OptionSet, Equatable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let all = ViewerHeader.allCases.reduce(into: ViewerHeaders()) {
    $0.formUnion($1.set)
  }

  /// What a key with the device in it is made of.
  package static let device: ViewerHeaders = [
    ViewerHeader.isDesktop.set, ViewerHeader.isMobile.set, ViewerHeader.isTablet.set,
    ViewerHeader.isSmartTV.set,
  ]

  package static let system: ViewerHeaders = [ViewerHeader.isAndroid.set, ViewerHeader.isIOS.set]

  /// What can only be told with a GeoIP database.
  package static let geographic: ViewerHeaders = [
    ViewerHeader.country.set, ViewerHeader.countryName.set, ViewerHeader.region.set,
    ViewerHeader.regionName.set, ViewerHeader.city.set, ViewerHeader.postalCode.set,
    ViewerHeader.metroCode.set, ViewerHeader.latitude.set, ViewerHeader.longitude.set,
    ViewerHeader.timeZone.set, ViewerHeader.asn.set,
  ]

  /// What nearly every viewer has for itself: never part of a key (CloudFront §6), and a response
  /// that varies on it fits no other request.
  package static let unique: ViewerHeaders = [
    ViewerHeader.address.set, ViewerHeader.asn.set, ViewerHeader.headerOrder.set,
    ViewerHeader.headerCount.set, ViewerHeader.tls.set,
  ]
}
