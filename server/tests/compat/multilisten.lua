-- Plain HTTP on a port of all addresses, HTTPS with one certificate for everybody, and HTTPS that
-- chooses among two certificates by the name that is asked for.
--     httpng multilisten.lua FOO.pem FOO_KEY.pem BAR.pem BAR_KEY.pem
local httpng = require 'httpng'

local foo_cert, foo_key, bar_cert, bar_key = ...

local foo = { certificate_file = foo_cert, certificate_key_file = foo_key }
local bar = { certificate_file = bar_cert, certificate_key_file = bar_key }

httpng.cfg {
    listen = {
        0,
        { addr = '127.0.0.1', port = 0, tls = { foo } },
        { addr = '127.0.0.2', port = 0, tls = { foo, bar }, uses_sni = true },
    },
    openssl_security_level = 0,
    min_proto_version = 'tls1.2',
    handler = function(req)
        return {
            status = 200,
            headers = { ['x-req-id'] = 'qwe' },
            body = (req.https and 'https ' or 'http ') .. (req.headers['user-agent'] or '-'),
        }
    end,
}
