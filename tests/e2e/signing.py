"""Signature V4 over heads that no SDK makes: values of headers are bytes, whatever bytes they are."""
import datetime
import hashlib
import hmac
import urllib.parse


def sign(env, method, path, query, headers, payload=b""):
    """The headers (name: bytes) with those of a signature over all of them. `path` and `query` (a list of pairs of bytes) are not encoded yet."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(payload).hexdigest()
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    signed |= {"x-amz-date": now.encode(), "x-amz-content-sha256": digest.encode()}
    names = ";".join(sorted(signed))
    lines = [method.encode(), encode_path(path).encode(), encode_query(sorted(query)).encode()]
    lines += [name.encode() + b":" + signed[name] for name in sorted(signed)] + [b"", names.encode(), digest.encode()]
    scope = f"{now[:8]}/{env['AWS_REGION']}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(b"\n".join(lines)).hexdigest()])
    key = ("AWS4" + env["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={env['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, Signature={key.hex()}".encode()
    return signed


def encode_path(path):
    return urllib.parse.quote(path, safe="/-_.~")


def encode_query(query):
    return "&".join(urllib.parse.quote(name, safe="-_.~") + "=" + urllib.parse.quote(value, safe="-_.~") for name, value in query)
