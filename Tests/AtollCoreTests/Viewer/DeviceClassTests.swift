// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// CloudFront §14: CloudFront-Is-…-Viewer, by User-Agent.
struct DeviceClassTests {
  @Test(
    arguments: [
      (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
          + "Chrome/131.0.0.0 Safari/537.36", .desktop
      ),
      (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 "
          + "Safari/605.1.15", .desktop
      ),
      ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", .desktop),
      ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Tablet PC 2.0)", .desktop),
      ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/131.0.0.0", .desktop),
      ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", .desktop),
      ("curl/8.11.0", .desktop), ("", .desktop),
      (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 "
          + "Mobile/15E148 Safari/604.1", .mobile
      ),
      (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile "
          + "Safari/537.36", .mobile
      ),
      ("Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", .mobile),
      ("Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119", .mobile),
      (
        "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 "
          + "Mobile Safari/537.36 Edge/15.15254", .mobile
      ),
      (
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 Mobile "
          + "Safari/537.36 (compatible; Googlebot/2.1)", .mobile
      ),
      (
        "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Version/16.6 "
          + "Mobile/15E148 Safari/604.1", .tablet
      ),
      (
        "Mozilla/5.0 (Linux; Android 14; SM-X910) AppleWebKit/537.36 Chrome/131.0.0.0 "
          + "Safari/537.36", .tablet
      ),
      ("Mozilla/5.0 (Android 14; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0", .tablet),
      (
        "Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 Silk/108.4 like "
          + "Chrome/108.0 Safari/537.36", .tablet
      ),
      (
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 Version/7.0 TV "
          + "Safari/537.36", .television
      ),
      (
        "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36",
        .television
      ),
      (
        "Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH21) AppleWebKit/537.36 Chrome/114.0 "
          + "Safari/537.36", .television
      ),
      ("AppleTV14,1/18.1", .television), ("Roku/DVP-12.5 (12.5.0.4178-88)", .television),
      (
        "Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7646) AppleWebKit/537.36 Silk/108.4",
        .television
      ),
      ("MOZILLA/5.0 (IPHONE; CPU IPHONE OS 18_1)", .mobile),
      // Only the beginning counts.
      (String(repeating: "x", count: 1_024) + "iPhone", .desktop),
    ] as [(String, DeviceClass)])
  func `a User-Agent tells the device`(text: String, expected: DeviceClass) {
    #expect(withBytes(Array(text.utf8)) { DeviceClass(userAgent: $0) } == expected)
  }

  @Test(arguments: [
    ("Mozilla/5.0 (Linux; Android 15; Pixel 9)", true, false),
    ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X)", false, true),
    ("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; like iPhone OS 7_0_3)", false, false),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", false, false),
  ])
  func `a User-Agent tells the system`(text: String, android: Bool, ios: Bool) {
    withBytes(Array(text.utf8)) {
      #expect(DeviceWords.found(in: $0).isAndroid == android)
      #expect(DeviceWords.found(in: $0).isIOS == ios)
    }
  }
}
