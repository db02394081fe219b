-- Uploads of 64 KiB.

wrk.method, wrk.body = "POST", string.rep("x", 65536)
wrk.headers["Content-Type"] = "application/octet-stream"
