// Every operation of the S3 API (directory buckets and Object Lambda apart), and two documented
// extensions: name, method, level, selecting query parameter (or header, for copies), IAM action.
// No include guard: an X-macro. Source: "Actions", S3 API reference; "Actions, resources, and
// condition keys for Amazon S3", service authorization reference.

RONDEL_S3_OPERATION(ListBuckets, "GET", kService, "", "s3:ListAllMyBuckets")

RONDEL_S3_OPERATION(CreateBucket, "PUT", kBucket, "", "s3:CreateBucket")
RONDEL_S3_OPERATION(DeleteBucket, "DELETE", kBucket, "", "s3:DeleteBucket")
RONDEL_S3_OPERATION(HeadBucket, "HEAD", kBucket, "", "s3:ListBucket")
RONDEL_S3_OPERATION(ListObjects, "GET", kBucket, "", "s3:ListBucket")
RONDEL_S3_OPERATION(ListObjectsV2, "GET", kBucket, "list-type", "s3:ListBucket")
RONDEL_S3_OPERATION(ListObjectVersions, "GET", kBucket, "versions", "s3:ListBucketVersions")
RONDEL_S3_OPERATION(ListMultipartUploads, "GET", kBucket, "uploads",
                    "s3:ListBucketMultipartUploads")
RONDEL_S3_OPERATION(DeleteObjects, "POST", kBucket, "delete", "s3:DeleteObject")
RONDEL_S3_OPERATION(PostObject, "POST", kBucket, "", "s3:PutObject")
RONDEL_S3_OPERATION(GetBucketLocation, "GET", kBucket, "location", "s3:GetBucketLocation")
RONDEL_S3_OPERATION(GetBucketAcl, "GET", kBucket, "acl", "s3:GetBucketAcl")
RONDEL_S3_OPERATION(PutBucketAcl, "PUT", kBucket, "acl", "s3:PutBucketAcl")
RONDEL_S3_OPERATION(GetBucketPolicy, "GET", kBucket, "policy", "s3:GetBucketPolicy")
RONDEL_S3_OPERATION(PutBucketPolicy, "PUT", kBucket, "policy", "s3:PutBucketPolicy")
RONDEL_S3_OPERATION(DeleteBucketPolicy, "DELETE", kBucket, "policy", "s3:DeleteBucketPolicy")
RONDEL_S3_OPERATION(GetBucketPolicyStatus, "GET", kBucket, "policyStatus",
                    "s3:GetBucketPolicyStatus")
RONDEL_S3_OPERATION(GetBucketCors, "GET", kBucket, "cors", "s3:GetBucketCORS")
RONDEL_S3_OPERATION(PutBucketCors, "PUT", kBucket, "cors", "s3:PutBucketCORS")
RONDEL_S3_OPERATION(DeleteBucketCors, "DELETE", kBucket, "cors", "s3:PutBucketCORS")
RONDEL_S3_OPERATION(GetBucketLifecycleConfiguration, "GET", kBucket, "lifecycle",
                    "s3:GetLifecycleConfiguration")
RONDEL_S3_OPERATION(PutBucketLifecycleConfiguration, "PUT", kBucket, "lifecycle",
                    "s3:PutLifecycleConfiguration")
RONDEL_S3_OPERATION(DeleteBucketLifecycle, "DELETE", kBucket, "lifecycle",
                    "s3:PutLifecycleConfiguration")
RONDEL_S3_OPERATION(GetBucketEncryption, "GET", kBucket, "encryption",
                    "s3:GetEncryptionConfiguration")
RONDEL_S3_OPERATION(PutBucketEncryption, "PUT", kBucket, "encryption",
                    "s3:PutEncryptionConfiguration")
RONDEL_S3_OPERATION(DeleteBucketEncryption, "DELETE", kBucket, "encryption",
                    "s3:PutEncryptionConfiguration")
RONDEL_S3_OPERATION(GetBucketTagging, "GET", kBucket, "tagging", "s3:GetBucketTagging")
RONDEL_S3_OPERATION(PutBucketTagging, "PUT", kBucket, "tagging", "s3:PutBucketTagging")
RONDEL_S3_OPERATION(DeleteBucketTagging, "DELETE", kBucket, "tagging", "s3:PutBucketTagging")
RONDEL_S3_OPERATION(GetBucketVersioning, "GET", kBucket, "versioning", "s3:GetBucketVersioning")
RONDEL_S3_OPERATION(PutBucketVersioning, "PUT", kBucket, "versioning", "s3:PutBucketVersioning")
RONDEL_S3_OPERATION(GetBucketOwnershipControls, "GET", kBucket, "ownershipControls",
                    "s3:GetBucketOwnershipControls")
RONDEL_S3_OPERATION(PutBucketOwnershipControls, "PUT", kBucket, "ownershipControls",
                    "s3:PutBucketOwnershipControls")
RONDEL_S3_OPERATION(DeleteBucketOwnershipControls, "DELETE", kBucket, "ownershipControls",
                    "s3:PutBucketOwnershipControls")
RONDEL_S3_OPERATION(GetPublicAccessBlock, "GET", kBucket, "publicAccessBlock",
                    "s3:GetBucketPublicAccessBlock")
RONDEL_S3_OPERATION(PutPublicAccessBlock, "PUT", kBucket, "publicAccessBlock",
                    "s3:PutBucketPublicAccessBlock")
RONDEL_S3_OPERATION(DeletePublicAccessBlock, "DELETE", kBucket, "publicAccessBlock",
                    "s3:PutBucketPublicAccessBlock")
RONDEL_S3_OPERATION(GetObjectLockConfiguration, "GET", kBucket, "object-lock",
                    "s3:GetBucketObjectLockConfiguration")
RONDEL_S3_OPERATION(PutObjectLockConfiguration, "PUT", kBucket, "object-lock",
                    "s3:PutBucketObjectLockConfiguration")
RONDEL_S3_OPERATION(GetBucketRequestPayment, "GET", kBucket, "requestPayment",
                    "s3:GetBucketRequestPayment")
RONDEL_S3_OPERATION(PutBucketRequestPayment, "PUT", kBucket, "requestPayment",
                    "s3:PutBucketRequestPayment")
RONDEL_S3_OPERATION(GetBucketLogging, "GET", kBucket, "logging", "s3:GetBucketLogging")
RONDEL_S3_OPERATION(PutBucketLogging, "PUT", kBucket, "logging", "s3:PutBucketLogging")
RONDEL_S3_OPERATION(GetBucketWebsite, "GET", kBucket, "website", "s3:GetBucketWebsite")
RONDEL_S3_OPERATION(PutBucketWebsite, "PUT", kBucket, "website", "s3:PutBucketWebsite")
RONDEL_S3_OPERATION(DeleteBucketWebsite, "DELETE", kBucket, "website", "s3:DeleteBucketWebsite")
RONDEL_S3_OPERATION(GetBucketNotificationConfiguration, "GET", kBucket, "notification",
                    "s3:GetBucketNotification")
RONDEL_S3_OPERATION(PutBucketNotificationConfiguration, "PUT", kBucket, "notification",
                    "s3:PutBucketNotification")
RONDEL_S3_OPERATION(GetBucketReplication, "GET", kBucket, "replication",
                    "s3:GetReplicationConfiguration")
RONDEL_S3_OPERATION(PutBucketReplication, "PUT", kBucket, "replication",
                    "s3:PutReplicationConfiguration")
RONDEL_S3_OPERATION(DeleteBucketReplication, "DELETE", kBucket, "replication",
                    "s3:PutReplicationConfiguration")
RONDEL_S3_OPERATION(GetBucketAccelerateConfiguration, "GET", kBucket, "accelerate",
                    "s3:GetAccelerateConfiguration")
RONDEL_S3_OPERATION(PutBucketAccelerateConfiguration, "PUT", kBucket, "accelerate",
                    "s3:PutAccelerateConfiguration")
RONDEL_S3_OPERATION(GetBucketAnalyticsConfiguration, "GET", kBucket, "analytics",
                    "s3:GetAnalyticsConfiguration")
RONDEL_S3_OPERATION(PutBucketAnalyticsConfiguration, "PUT", kBucket, "analytics",
                    "s3:PutAnalyticsConfiguration")
RONDEL_S3_OPERATION(DeleteBucketAnalyticsConfiguration, "DELETE", kBucket, "analytics",
                    "s3:PutAnalyticsConfiguration")
RONDEL_S3_OPERATION(GetBucketInventoryConfiguration, "GET", kBucket, "inventory",
                    "s3:GetInventoryConfiguration")
RONDEL_S3_OPERATION(PutBucketInventoryConfiguration, "PUT", kBucket, "inventory",
                    "s3:PutInventoryConfiguration")
RONDEL_S3_OPERATION(DeleteBucketInventoryConfiguration, "DELETE", kBucket, "inventory",
                    "s3:PutInventoryConfiguration")
RONDEL_S3_OPERATION(GetBucketMetricsConfiguration, "GET", kBucket, "metrics",
                    "s3:GetMetricsConfiguration")
RONDEL_S3_OPERATION(PutBucketMetricsConfiguration, "PUT", kBucket, "metrics",
                    "s3:PutMetricsConfiguration")
RONDEL_S3_OPERATION(DeleteBucketMetricsConfiguration, "DELETE", kBucket, "metrics",
                    "s3:PutMetricsConfiguration")
RONDEL_S3_OPERATION(GetBucketIntelligentTieringConfiguration, "GET", kBucket, "intelligent-tiering",
                    "s3:GetIntelligentTieringConfiguration")
RONDEL_S3_OPERATION(PutBucketIntelligentTieringConfiguration, "PUT", kBucket, "intelligent-tiering",
                    "s3:PutIntelligentTieringConfiguration")
RONDEL_S3_OPERATION(DeleteBucketIntelligentTieringConfiguration, "DELETE", kBucket,
                    "intelligent-tiering", "s3:PutIntelligentTieringConfiguration")
RONDEL_S3_OPERATION(GetBucketAbac, "GET", kBucket, "abac", "s3:GetBucketAbac")
RONDEL_S3_OPERATION(PutBucketAbac, "PUT", kBucket, "abac", "s3:PutBucketAbac")
RONDEL_S3_OPERATION(CreateBucketMetadataConfiguration, "POST", kBucket, "metadataConfiguration",
                    "s3:CreateBucketMetadataTableConfiguration")
RONDEL_S3_OPERATION(GetBucketMetadataConfiguration, "GET", kBucket, "metadataConfiguration",
                    "s3:GetBucketMetadataTableConfiguration")
RONDEL_S3_OPERATION(DeleteBucketMetadataConfiguration, "DELETE", kBucket, "metadataConfiguration",
                    "s3:DeleteBucketMetadataTableConfiguration")
RONDEL_S3_OPERATION(CreateBucketMetadataTableConfiguration, "POST", kBucket, "metadataTable",
                    "s3:CreateBucketMetadataTableConfiguration")
RONDEL_S3_OPERATION(GetBucketMetadataTableConfiguration, "GET", kBucket, "metadataTable",
                    "s3:GetBucketMetadataTableConfiguration")
RONDEL_S3_OPERATION(DeleteBucketMetadataTableConfiguration, "DELETE", kBucket, "metadataTable",
                    "s3:DeleteBucketMetadataTableConfiguration")

RONDEL_S3_OPERATION(PutObject, "PUT", kObject, "", "s3:PutObject")
RONDEL_S3_OPERATION(GetObject, "GET", kObject, "", "s3:GetObject")
RONDEL_S3_OPERATION(HeadObject, "HEAD", kObject, "", "s3:GetObject")
RONDEL_S3_OPERATION(DeleteObject, "DELETE", kObject, "", "s3:DeleteObject")
RONDEL_S3_OPERATION(CopyObject, "PUT", kObject, "x-amz-copy-source", "s3:PutObject")
RONDEL_S3_OPERATION(CreateMultipartUpload, "POST", kObject, "uploads", "s3:PutObject")
RONDEL_S3_OPERATION(UploadPart, "PUT", kObject, "uploadId", "s3:PutObject")
RONDEL_S3_OPERATION(UploadPartCopy, "PUT", kObject, "uploadId", "s3:PutObject")
RONDEL_S3_OPERATION(CompleteMultipartUpload, "POST", kObject, "uploadId", "s3:PutObject")
RONDEL_S3_OPERATION(AbortMultipartUpload, "DELETE", kObject, "uploadId", "s3:AbortMultipartUpload")
RONDEL_S3_OPERATION(ListParts, "GET", kObject, "uploadId", "s3:ListMultipartUploadParts")
RONDEL_S3_OPERATION(GetObjectAttributes, "GET", kObject, "attributes", "s3:GetObjectAttributes")
RONDEL_S3_OPERATION(GetObjectAcl, "GET", kObject, "acl", "s3:GetObjectAcl")
RONDEL_S3_OPERATION(PutObjectAcl, "PUT", kObject, "acl", "s3:PutObjectAcl")
RONDEL_S3_OPERATION(GetObjectTagging, "GET", kObject, "tagging", "s3:GetObjectTagging")
RONDEL_S3_OPERATION(PutObjectTagging, "PUT", kObject, "tagging", "s3:PutObjectTagging")
RONDEL_S3_OPERATION(DeleteObjectTagging, "DELETE", kObject, "tagging", "s3:DeleteObjectTagging")
RONDEL_S3_OPERATION(GetObjectRetention, "GET", kObject, "retention", "s3:GetObjectRetention")
RONDEL_S3_OPERATION(PutObjectRetention, "PUT", kObject, "retention", "s3:PutObjectRetention")
RONDEL_S3_OPERATION(GetObjectLegalHold, "GET", kObject, "legal-hold", "s3:GetObjectLegalHold")
RONDEL_S3_OPERATION(PutObjectLegalHold, "PUT", kObject, "legal-hold", "s3:PutObjectLegalHold")
RONDEL_S3_OPERATION(GetObjectTorrent, "GET", kObject, "torrent", "s3:GetObject")
RONDEL_S3_OPERATION(RestoreObject, "POST", kObject, "restore", "s3:RestoreObject")
RONDEL_S3_OPERATION(SelectObjectContent, "POST", kObject, "select", "s3:GetObject")
RONDEL_S3_OPERATION(UpdateObjectEncryption, "PUT", kObject, "encryption",
                    "s3:UpdateObjectEncryption")
RONDEL_S3_OPERATION(RenameObject, "PUT", kObject, "renameObject", "s3:PutObject")
