"""Requests that no SDK sends: one exchange over a socket of our own, head and body as given."""
import http.client
import urllib.parse


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    def code(self):
        """The code of the error document."""
        start = self.text.find("<Code>")
        return self.text[start + 6:self.text.find("</Code>")] if start >= 0 else ""


def send(endpoint, method, path, headers=None, body=None, host=None, context=None):
    url = urllib.parse.urlsplit(endpoint)
    secure = {"context": context} if url.scheme == "https" else {}
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname, url.port, timeout=300, **secure)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or url.netloc)
        if body is not None and not any(name.lower() == "content-length" for name in headers or {}):
            connection.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return Answer(connection.getresponse())
    finally:
        connection.close()
