// Every operation of the S3 API (directory buckets and Object Lambda apart), and two documented
// extensions. The columns are those of OperationRow (operation.h) and, last, the function that
// answers: nullptr is 501 NotImplemented. Who includes this has a namespace for each family that
// answers, or takes no notice of the last column. No include guard: an X-macro. Source: "Actions",
// S3 API reference; "Actions, resources, and condition keys for Amazon S3", service authorization
// reference.

RONDEL_S3_OPERATION(ListBuckets, "GET", kService, "", "s3:ListAllMyBuckets", kHead, kReads, kNone,
                    kCached, buckets::list_buckets)

RONDEL_S3_OPERATION(CreateBucket, "PUT", kBucket, "", "s3:CreateBucket", kHead, kChanges, kDocument,
                    kFresh, buckets::create_bucket)
RONDEL_S3_OPERATION(DeleteBucket, "DELETE", kBucket, "", "s3:DeleteBucket", kHead, kChanges, kNone,
                    kFresh, buckets::delete_bucket)
RONDEL_S3_OPERATION(HeadBucket, "HEAD", kBucket, "", "s3:ListBucket", kHead, kReads, kNone, kFresh,
                    buckets::head_bucket)
RONDEL_S3_OPERATION(ListObjects, "GET", kBucket, "", "s3:ListBucket", kHead, kReads, kNone, kCached,
                    listing::list_objects)
RONDEL_S3_OPERATION(ListObjectsV2, "GET", kBucket, "list-type", "s3:ListBucket", kHead, kReads,
                    kNone, kCached, listing::list_objects_v2)
RONDEL_S3_OPERATION(ListObjectVersions, "GET", kBucket, "versions", "s3:ListBucketVersions", kHead,
                    kReads, kNone, kCached, listing::list_object_versions)
RONDEL_S3_OPERATION(ListMultipartUploads, "GET", kBucket, "uploads",
                    "s3:ListBucketMultipartUploads", kHead, kReads, kNone, kCached,
                    multipart::list_multipart_uploads)
RONDEL_S3_OPERATION(DeleteObjects, "POST", kBucket, "delete", "s3:DeleteObject", kEntries, kChanges,
                    kDocument, kCached, objects::delete_objects)
RONDEL_S3_OPERATION(PostObject, "POST", kBucket, "", "s3:PutObject", kHead, kCreates, kForm,
                    kCached, objects::put_object)
RONDEL_S3_OPERATION(GetBucketLocation, "GET", kBucket, "location", "s3:GetBucketLocation", kHead,
                    kReads, kNone, kFresh, buckets::get_bucket_location)
RONDEL_S3_OPERATION(GetBucketAcl, "GET", kBucket, "acl", "s3:GetBucketAcl", kHead, kReads, kNone,
                    kFresh, permissions::get_bucket_acl)
RONDEL_S3_OPERATION(PutBucketAcl, "PUT", kBucket, "acl", "s3:PutBucketAcl", kHead, kChanges,
                    kDocument, kFresh, permissions::put_bucket_acl)
RONDEL_S3_OPERATION(GetBucketPolicy, "GET", kBucket, "policy", "s3:GetBucketPolicy", kHead, kReads,
                    kNone, kFresh, permissions::get_bucket_policy)
RONDEL_S3_OPERATION(PutBucketPolicy, "PUT", kBucket, "policy", "s3:PutBucketPolicy", kHead,
                    kChanges, kDocument, kFresh, permissions::put_bucket_policy)
RONDEL_S3_OPERATION(DeleteBucketPolicy, "DELETE", kBucket, "policy", "s3:DeleteBucketPolicy", kHead,
                    kChanges, kNone, kFresh, permissions::delete_bucket_policy)
RONDEL_S3_OPERATION(GetBucketPolicyStatus, "GET", kBucket, "policyStatus",
                    "s3:GetBucketPolicyStatus", kHead, kReads, kNone, kFresh,
                    permissions::get_bucket_policy_status)
RONDEL_S3_OPERATION(GetBucketCors, "GET", kBucket, "cors", "s3:GetBucketCORS", kHead, kReads, kNone,
                    kFresh, buckets::get_bucket_cors)
RONDEL_S3_OPERATION(PutBucketCors, "PUT", kBucket, "cors", "s3:PutBucketCORS", kHead, kChanges,
                    kDocument, kFresh, buckets::put_bucket_cors)
RONDEL_S3_OPERATION(DeleteBucketCors, "DELETE", kBucket, "cors", "s3:PutBucketCORS", kHead,
                    kChanges, kNone, kFresh, buckets::delete_bucket_cors)
RONDEL_S3_OPERATION(GetBucketLifecycleConfiguration, "GET", kBucket, "lifecycle",
                    "s3:GetLifecycleConfiguration", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_lifecycle)
RONDEL_S3_OPERATION(PutBucketLifecycleConfiguration, "PUT", kBucket, "lifecycle",
                    "s3:PutLifecycleConfiguration", kHead, kChanges, kDocument, kFresh,
                    buckets::put_bucket_lifecycle)
RONDEL_S3_OPERATION(DeleteBucketLifecycle, "DELETE", kBucket, "lifecycle",
                    "s3:PutLifecycleConfiguration", kHead, kChanges, kNone, kFresh,
                    buckets::delete_bucket_lifecycle)
RONDEL_S3_OPERATION(GetBucketEncryption, "GET", kBucket, "encryption",
                    "s3:GetEncryptionConfiguration", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_encryption)
RONDEL_S3_OPERATION(PutBucketEncryption, "PUT", kBucket, "encryption",
                    "s3:PutEncryptionConfiguration", kHead, kChanges, kDocument, kFresh,
                    buckets::put_bucket_encryption)
RONDEL_S3_OPERATION(DeleteBucketEncryption, "DELETE", kBucket, "encryption",
                    "s3:PutEncryptionConfiguration", kHead, kChanges, kNone, kFresh,
                    buckets::delete_bucket_encryption)
RONDEL_S3_OPERATION(GetBucketTagging, "GET", kBucket, "tagging", "s3:GetBucketTagging", kHead,
                    kReads, kNone, kFresh, buckets::get_bucket_tagging)
RONDEL_S3_OPERATION(PutBucketTagging, "PUT", kBucket, "tagging", "s3:PutBucketTagging", kHead,
                    kChanges, kDocument, kFresh, buckets::put_bucket_tagging)
RONDEL_S3_OPERATION(DeleteBucketTagging, "DELETE", kBucket, "tagging", "s3:PutBucketTagging", kHead,
                    kChanges, kNone, kFresh, buckets::delete_bucket_tagging)
RONDEL_S3_OPERATION(GetBucketVersioning, "GET", kBucket, "versioning", "s3:GetBucketVersioning",
                    kHead, kReads, kNone, kFresh, buckets::get_bucket_versioning)
RONDEL_S3_OPERATION(PutBucketVersioning, "PUT", kBucket, "versioning", "s3:PutBucketVersioning",
                    kHead, kChanges, kDocument, kFresh, buckets::put_bucket_versioning)
RONDEL_S3_OPERATION(GetBucketOwnershipControls, "GET", kBucket, "ownershipControls",
                    "s3:GetBucketOwnershipControls", kHead, kReads, kNone, kFresh,
                    permissions::get_ownership_controls)
RONDEL_S3_OPERATION(PutBucketOwnershipControls, "PUT", kBucket, "ownershipControls",
                    "s3:PutBucketOwnershipControls", kHead, kChanges, kDocument, kFresh,
                    permissions::put_ownership_controls)
RONDEL_S3_OPERATION(DeleteBucketOwnershipControls, "DELETE", kBucket, "ownershipControls",
                    "s3:PutBucketOwnershipControls", kHead, kChanges, kNone, kFresh,
                    permissions::delete_ownership_controls)
RONDEL_S3_OPERATION(GetPublicAccessBlock, "GET", kBucket, "publicAccessBlock",
                    "s3:GetBucketPublicAccessBlock", kHead, kReads, kNone, kFresh,
                    permissions::get_public_access_block)
RONDEL_S3_OPERATION(PutPublicAccessBlock, "PUT", kBucket, "publicAccessBlock",
                    "s3:PutBucketPublicAccessBlock", kHead, kChanges, kDocument, kFresh,
                    permissions::put_public_access_block)
RONDEL_S3_OPERATION(DeletePublicAccessBlock, "DELETE", kBucket, "publicAccessBlock",
                    "s3:PutBucketPublicAccessBlock", kHead, kChanges, kNone, kFresh,
                    permissions::delete_public_access_block)
RONDEL_S3_OPERATION(GetObjectLockConfiguration, "GET", kBucket, "object-lock",
                    "s3:GetBucketObjectLockConfiguration", kHead, kReads, kNone, kFresh,
                    buckets::get_object_lock_configuration)
RONDEL_S3_OPERATION(PutObjectLockConfiguration, "PUT", kBucket, "object-lock",
                    "s3:PutBucketObjectLockConfiguration", kHead, kChanges, kDocument, kFresh,
                    buckets::put_object_lock_configuration)
RONDEL_S3_OPERATION(GetBucketRequestPayment, "GET", kBucket, "requestPayment",
                    "s3:GetBucketRequestPayment", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_request_payment)
RONDEL_S3_OPERATION(PutBucketRequestPayment, "PUT", kBucket, "requestPayment",
                    "s3:PutBucketRequestPayment", kHead, kChanges, kDocument, kFresh,
                    buckets::put_bucket_request_payment)
RONDEL_S3_OPERATION(GetBucketLogging, "GET", kBucket, "logging", "s3:GetBucketLogging", kHead,
                    kReads, kNone, kFresh, buckets::get_bucket_logging)
RONDEL_S3_OPERATION(PutBucketLogging, "PUT", kBucket, "logging", "s3:PutBucketLogging", kHead,
                    kChanges, kDocument, kFresh, buckets::put_bucket_logging)
RONDEL_S3_OPERATION(GetBucketWebsite, "GET", kBucket, "website", "s3:GetBucketWebsite", kHead,
                    kReads, kNone, kFresh, buckets::get_bucket_website)
RONDEL_S3_OPERATION(PutBucketWebsite, "PUT", kBucket, "website", "s3:PutBucketWebsite", kHead,
                    kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketWebsite, "DELETE", kBucket, "website", "s3:DeleteBucketWebsite",
                    kHead, kChanges, kNone, kFresh, buckets::delete_bucket_website)
RONDEL_S3_OPERATION(GetBucketNotificationConfiguration, "GET", kBucket, "notification",
                    "s3:GetBucketNotification", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_notification)
RONDEL_S3_OPERATION(PutBucketNotificationConfiguration, "PUT", kBucket, "notification",
                    "s3:PutBucketNotification", kHead, kChanges, kDocument, kFresh,
                    buckets::put_bucket_notification)
RONDEL_S3_OPERATION(GetBucketReplication, "GET", kBucket, "replication",
                    "s3:GetReplicationConfiguration", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_replication)
RONDEL_S3_OPERATION(PutBucketReplication, "PUT", kBucket, "replication",
                    "s3:PutReplicationConfiguration", kHead, kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketReplication, "DELETE", kBucket, "replication",
                    "s3:PutReplicationConfiguration", kHead, kChanges, kNone, kFresh,
                    buckets::delete_bucket_replication)
RONDEL_S3_OPERATION(GetBucketAccelerateConfiguration, "GET", kBucket, "accelerate",
                    "s3:GetAccelerateConfiguration", kHead, kReads, kNone, kFresh,
                    buckets::get_bucket_accelerate)
RONDEL_S3_OPERATION(PutBucketAccelerateConfiguration, "PUT", kBucket, "accelerate",
                    "s3:PutAccelerateConfiguration", kHead, kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(GetBucketAnalyticsConfiguration, "GET", kBucket, "analytics",
                    "s3:GetAnalyticsConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(PutBucketAnalyticsConfiguration, "PUT", kBucket, "analytics",
                    "s3:PutAnalyticsConfiguration", kHead, kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketAnalyticsConfiguration, "DELETE", kBucket, "analytics",
                    "s3:PutAnalyticsConfiguration", kHead, kChanges, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(GetBucketInventoryConfiguration, "GET", kBucket, "inventory",
                    "s3:GetInventoryConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(PutBucketInventoryConfiguration, "PUT", kBucket, "inventory",
                    "s3:PutInventoryConfiguration", kHead, kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketInventoryConfiguration, "DELETE", kBucket, "inventory",
                    "s3:PutInventoryConfiguration", kHead, kChanges, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(GetBucketMetricsConfiguration, "GET", kBucket, "metrics",
                    "s3:GetMetricsConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(PutBucketMetricsConfiguration, "PUT", kBucket, "metrics",
                    "s3:PutMetricsConfiguration", kHead, kChanges, kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketMetricsConfiguration, "DELETE", kBucket, "metrics",
                    "s3:PutMetricsConfiguration", kHead, kChanges, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(GetBucketIntelligentTieringConfiguration, "GET", kBucket, "intelligent-tiering",
                    "s3:GetIntelligentTieringConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(PutBucketIntelligentTieringConfiguration, "PUT", kBucket, "intelligent-tiering",
                    "s3:PutIntelligentTieringConfiguration", kHead, kChanges, kDocument, kFresh,
                    nullptr)
RONDEL_S3_OPERATION(DeleteBucketIntelligentTieringConfiguration, "DELETE", kBucket,
                    "intelligent-tiering", "s3:PutIntelligentTieringConfiguration", kHead, kChanges,
                    kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(GetBucketAbac, "GET", kBucket, "abac", "s3:GetBucketAbac", kHead, kReads, kNone,
                    kFresh, nullptr)
RONDEL_S3_OPERATION(PutBucketAbac, "PUT", kBucket, "abac", "s3:PutBucketAbac", kHead, kChanges,
                    kDocument, kFresh, nullptr)
RONDEL_S3_OPERATION(CreateBucketMetadataConfiguration, "POST", kBucket, "metadataConfiguration",
                    "s3:CreateBucketMetadataTableConfiguration", kHead, kChanges, kDocument, kFresh,
                    nullptr)
RONDEL_S3_OPERATION(GetBucketMetadataConfiguration, "GET", kBucket, "metadataConfiguration",
                    "s3:GetBucketMetadataTableConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketMetadataConfiguration, "DELETE", kBucket, "metadataConfiguration",
                    "s3:DeleteBucketMetadataTableConfiguration", kHead, kChanges, kNone, kFresh,
                    nullptr)
RONDEL_S3_OPERATION(CreateBucketMetadataTableConfiguration, "POST", kBucket, "metadataTable",
                    "s3:CreateBucketMetadataTableConfiguration", kHead, kChanges, kDocument, kFresh,
                    nullptr)
RONDEL_S3_OPERATION(GetBucketMetadataTableConfiguration, "GET", kBucket, "metadataTable",
                    "s3:GetBucketMetadataTableConfiguration", kHead, kReads, kNone, kFresh, nullptr)
RONDEL_S3_OPERATION(DeleteBucketMetadataTableConfiguration, "DELETE", kBucket, "metadataTable",
                    "s3:DeleteBucketMetadataTableConfiguration", kHead, kChanges, kNone, kFresh,
                    nullptr)

RONDEL_S3_OPERATION(PutObject, "PUT", kObject, "", "s3:PutObject", kHead, kCreates, kObject,
                    kCached, objects::put_object)
RONDEL_S3_OPERATION(GetObject, "GET", kObject, "", "s3:GetObject", kObject, kReads, kNone, kCached,
                    objects::get_object)
RONDEL_S3_OPERATION(HeadObject, "HEAD", kObject, "", "s3:GetObject", kObject, kReads, kNone,
                    kCached, objects::head_object)
RONDEL_S3_OPERATION(DeleteObject, "DELETE", kObject, "", "s3:DeleteObject", kHead, kChanges, kNone,
                    kCached, objects::delete_object)
RONDEL_S3_OPERATION(CopyObject, "PUT", kObject, "x-amz-copy-source", "s3:PutObject", kHead,
                    kCreates, kNone, kCached, objects::copy_object)
RONDEL_S3_OPERATION(CreateMultipartUpload, "POST", kObject, "uploads", "s3:PutObject", kHead,
                    kChanges, kNone, kCached, multipart::create_multipart_upload)
RONDEL_S3_OPERATION(UploadPart, "PUT", kObject, "uploadId", "s3:PutObject", kHead, kChanges,
                    kObject, kCached, multipart::upload_part)
RONDEL_S3_OPERATION(UploadPartCopy, "PUT", kObject, "uploadId", "s3:PutObject", kHead, kChanges,
                    kNone, kCached, multipart::upload_part_copy)
RONDEL_S3_OPERATION(CompleteMultipartUpload, "POST", kObject, "uploadId", "s3:PutObject", kHead,
                    kCreates, kDocument, kCached, multipart::complete_multipart_upload)
RONDEL_S3_OPERATION(AbortMultipartUpload, "DELETE", kObject, "uploadId", "s3:AbortMultipartUpload",
                    kUpload, kChanges, kNone, kCached, multipart::abort_multipart_upload)
RONDEL_S3_OPERATION(ListParts, "GET", kObject, "uploadId", "s3:ListMultipartUploadParts", kUpload,
                    kReads, kNone, kCached, multipart::list_parts)
RONDEL_S3_OPERATION(GetObjectAttributes, "GET", kObject, "attributes", "s3:GetObjectAttributes",
                    kObject, kReads, kNone, kCached, objects::get_object_attributes)
RONDEL_S3_OPERATION(GetObjectAcl, "GET", kObject, "acl", "s3:GetObjectAcl", kObject, kReads, kNone,
                    kCached, permissions::get_object_acl)
RONDEL_S3_OPERATION(PutObjectAcl, "PUT", kObject, "acl", "s3:PutObjectAcl", kObject, kChanges,
                    kDocument, kCached, permissions::put_object_acl)
RONDEL_S3_OPERATION(GetObjectTagging, "GET", kObject, "tagging", "s3:GetObjectTagging", kObject,
                    kReads, kNone, kCached, objects::get_object_tagging)
RONDEL_S3_OPERATION(PutObjectTagging, "PUT", kObject, "tagging", "s3:PutObjectTagging", kObject,
                    kChanges, kDocument, kCached, objects::put_object_tagging)
RONDEL_S3_OPERATION(DeleteObjectTagging, "DELETE", kObject, "tagging", "s3:DeleteObjectTagging",
                    kObject, kChanges, kNone, kCached, objects::delete_object_tagging)
RONDEL_S3_OPERATION(GetObjectRetention, "GET", kObject, "retention", "s3:GetObjectRetention", kHead,
                    kReads, kNone, kCached, objects::get_object_retention)
RONDEL_S3_OPERATION(PutObjectRetention, "PUT", kObject, "retention", "s3:PutObjectRetention",
                    kDocument, kChanges, kDocument, kCached, objects::put_object_retention)
RONDEL_S3_OPERATION(GetObjectLegalHold, "GET", kObject, "legal-hold", "s3:GetObjectLegalHold",
                    kHead, kReads, kNone, kCached, objects::get_object_legal_hold)
RONDEL_S3_OPERATION(PutObjectLegalHold, "PUT", kObject, "legal-hold", "s3:PutObjectLegalHold",
                    kDocument, kChanges, kDocument, kCached, objects::put_object_legal_hold)
RONDEL_S3_OPERATION(GetObjectTorrent, "GET", kObject, "torrent", "s3:GetObject", kObject, kReads,
                    kNone, kCached, nullptr)
RONDEL_S3_OPERATION(RestoreObject, "POST", kObject, "restore", "s3:RestoreObject", kHead, kChanges,
                    kDocument, kCached, nullptr)
RONDEL_S3_OPERATION(SelectObjectContent, "POST", kObject, "select", "s3:GetObject", kObject, kReads,
                    kDocument, kCached, nullptr)
RONDEL_S3_OPERATION(UpdateObjectEncryption, "PUT", kObject, "encryption",
                    "s3:UpdateObjectEncryption", kHead, kChanges, kDocument, kCached,
                    objects::update_object_encryption)
RONDEL_S3_OPERATION(RenameObject, "PUT", kObject, "renameObject", "s3:PutObject", kHead, kCreates,
                    kNone, kCached, objects::rename_object)
