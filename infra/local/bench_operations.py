"""What a request to AWS is called, told from how it looks."""

from urllib.parse import parse_qs, urlsplit

# Services that name the operation in `X-Amz-Target`, by what stands there before the dot.
TARGETS = {"DynamoDB_20120810": "DynamoDB", "AmazonSQS": "SQS", "TrentService": "KMS", "secretsmanager": "SecretsManager",
           "AWSEvents": "EventBridge"}  # fmt: skip
# What S3 does with an object and with a bucket, by method.
OBJECT = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
BUCKET = {"GET": "ListObjects", "PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket", "POST": "DeleteObjects"}
MULTIPART = {"GET": "ListParts", "PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}


def operation(method: str, path: str, target: str | None, service: str) -> str:
    """`Service.Operation` of a request. `service` is the one it was signed for."""
    if target:
        prefix, _, name = target.rpartition(".")
        return f"{TARGETS.get(prefix, prefix)}.{name}"
    if service != "s3":
        return f"{service}.{method}"
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    if "uploadId" in query:
        name = MULTIPART.get(method)
    elif "uploads" in query:
        name = "CreateMultipartUpload"
    else:
        name = (OBJECT if parts.path.strip("/").count("/") else BUCKET).get(method)
    return f"S3.{name or method}"
