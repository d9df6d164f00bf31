// SPDX-License-Identifier: Apache-2.0

// CloudFront's own form: CloudFormation's AWS::CloudFront::Distribution, and what
// `aws cloudfront get-distribution-config` prints. Read only; what cannot be reproduced is refused.
extension DistributionFile {
  static let cloudFrontType = "AWS::CloudFront::Distribution"

  /// - Parameter name: what the template calls the resource, for a form without names.
  static func readCloudFront(
    _ node: JSONNode, _ path: String, name: String?, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    // The ETag is what the command line prints beside.
    guard let members = reader.object(node, path, keys: ["DistributionConfig", "Tags", "ETag"])
    else { return }
    guard let config = members["DistributionConfig"] else {
      reader.add(
        path, "\"DistributionConfig\" is missing", hint: "add \"DistributionConfig\": { … }")
      return
    }
    draft.isCloudFormation = true
    draft.isCloudFront = true
    draft.name = name
    draft.places = [
      "origin": "Origins", "origins": "Origins", "originGroups": "OriginGroups",
      "settings": "DefaultCacheBehavior", "errors": "CustomErrorResponses",
      "rootObject": "DefaultRootObject", "geoRestriction": "Restrictions.GeoRestriction",
    ]
    // Validation knows our places only: the nearest thing of the file is the whole.
    draft.pathPrefix = at("DistributionConfig") + "."
    var form = CloudFrontForm(path: at("DistributionConfig"), draft: draft, reader: reader)
    form.readTags(members["Tags"], at("Tags"))
    form.read(config)
    draft = form.draft
    reader = form.reader
  }
}
