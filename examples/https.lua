-- HTTP and HTTPS side by side. A certificate for trying it out:
--     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
--         -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem
--     httpng examples/https.lua cert.pem key.pem
--     curl --cacert cert.pem https://localhost:3443/
local httpng = require('httpng')

local certificate, key = ...
if not key then
    error('usage: httpng https.lua CERTIFICATE.pem KEY.pem', 0)
end

httpng.cfg({
    listen = {
        { port = 3300 },
        {
            port = 3443,
            tls = { { certificate_file = certificate, certificate_key_file = key } },
        },
    },
    min_proto_version = 'tls1.2',
    handler = function(req)
        return { body = ('Hello over %s\n'):format(req.https and 'TLS' or 'plain HTTP') }
    end,
})
