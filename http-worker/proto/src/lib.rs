//! HTTP heads, a sans-I/O HTTP/1.1 engine and the exchange that crosses between a network thread and its application.
