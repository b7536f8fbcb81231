//! A network thread for HTTP servers: sockets, TLS, HTTP/1.1 and limits on one mio loop, with the application on another thread.
