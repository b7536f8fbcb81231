-- `httpng.listen`: what may stand for `listen`, made one array of `{addr, port, tls, uses_sni,
-- http2}`.
local core = ...
local log = require('log')

local listen = {}

local DEFAULT_PORT = 3300
local SCHEMES = { http = 80, https = 443 }
local FIELDS = { addr = true, port = true, tls = true, uses_sni = true, http2 = true }

---Where to listen, and what is spoken there.
---@class httpng.listener
---@field addr? string address or host name, default all addresses
---@field port? integer default 3300; 0: a free one
---@field tls? {certificate_file: string, certificate_key_file: string}[] PEM files
---@field uses_sni? boolean the certificate is chosen by the name that the client asks for; default false
---@field http2? boolean HTTP/2 is spoken too, not only HTTP/1; default true

---A value as it stands in messages.
local function dump(value)
    if type(value) ~= 'table' then return tostring(value) end
    local ok, text = pcall(require('json').encode, value)
    return ok and text or tostring(value)
end

---A field; NULL is nil.
local function field(item, name)
    local value = item[name]
    if value == nil then return nil end
    return value
end

local function fail(message, ...) error(message:format(...), 0) end

local function wildcards(port)
    return { { addr = '0.0.0.0', port = port }, { addr = '::', port = port } }
end

local function check_port(port)
    if port ~= math.floor(port) then
        fail('port must be an integer, not float:%s', tostring(port))
    end
    if port < 0 or port > 65535 then fail('invalid port specified') end
    return port
end

---@return {addr: string, port: integer}[]
local function resolved(host, port)
    local addresses = core.resolve(host)
    if not addresses then return nil end
    local items = {}
    for i, addr in ipairs(addresses) do items[i] = { addr = addr, port = port } end
    return items
end

local function from_string(text)
    -- No host is called so, though the system would make an address of the number.
    if text:match('^%d+$') then return wildcards(check_port(tonumber(text))) end
    if text:match('^[a-z0-9]+$') then
        if SCHEMES[text] then return wildcards(SCHEMES[text]) end
        local items = resolved(text, DEFAULT_PORT)
        if not items then fail('unknown protocol specified: %s', text) end
        return items
    end
    local only_port = text:match('^:(%d+)$')
    if only_port then return wildcards(check_port(tonumber(only_port))) end
    local scheme, rest = text:match('^([%a][%w+.-]*)://([^/]+)/?$')
    rest = rest or (not text:find('/', 1, true) and text or nil)
    if not rest then fail('impossible to parse URI: %s', text) end
    local host, port = rest:match('^%[([%x:.]+)%]:?(%d*)$')
    if not host then host, port = rest:match('^([^:%s]+):?(%d*)$') end
    if not host then fail('impossible to parse URI: %s', text) end
    if port ~= '' then
        port = check_port(tonumber(port))
    else
        port = scheme and SCHEMES[scheme:lower()] or DEFAULT_PORT
    end
    local items = resolved(host, port)
    if not items then fail('unknown hostame: %s', host) end
    return items
end

local function check_tls(tls, uses_sni, item)
    if type(tls) ~= 'table' then fail("'tls' must be a table: %s", dump(item)) end
    local count = 0
    for _ in pairs(tls) do count = count + 1 end
    if count ~= #tls then fail("'tls' should be an array: %s", dump(item)) end
    if #tls > 1 and not uses_sni then
        fail("'uses_sni' can't be false or nil if there're certificates more than 1: %s",
            dump(item))
    end
    local pairs_of_files = {}
    for i, pair in ipairs(tls) do
        local cert, key
        if type(pair) == 'table' then
            cert, key = field(pair, 'certificate_file'), field(pair, 'certificate_key_file')
        end
        if cert == nil or key == nil then
            fail("missing 'certificate_file' or 'certificate_key_file': %s", dump(item))
        end
        if type(cert) ~= 'string' then
            fail("'certificate_file'' must be a string %s", dump(item))
        end
        if type(key) ~= 'string' then
            fail("'certificate_key_file' must be a string: %s", dump(item))
        end
        pairs_of_files[i] = { certificate_file = cert, certificate_key_file = key }
    end
    return pairs_of_files
end

local function from_item(item)
    local addr, port, tls = field(item, 'addr'), field(item, 'port'), field(item, 'tls')
    local uses_sni = field(item, 'uses_sni') and true or false
    if addr ~= nil and type(addr) ~= 'string' then
        fail("'addr' must be a string: %s", dump(item))
    end
    if port ~= nil and type(port) ~= 'number' then
        fail("'port' must be a number: %s", dump(item))
    end
    port = check_port(port or DEFAULT_PORT)
    local http2 = field(item, 'http2')
    if http2 ~= nil and type(http2) ~= 'boolean' then
        fail("'http2' must be a boolean: %s", dump(item))
    end
    if tls ~= nil then tls = check_tls(tls, uses_sni, item) end
    local items = addr and resolved(addr, port)
    if addr and not items then fail("Can't parse IP address") end
    items = items or wildcards(port)
    for _, one in ipairs(items) do
        if tls and #tls > 0 then
            one.tls, one.uses_sni = tls, uses_sni
        end
        one.http2 = http2
    end
    -- A misspelt address would mean all of them.
    for name in pairs(item) do
        if not FIELDS[name] then
            log.warn('listen has no field "%s": it has no effect', tostring(name))
        end
    end
    return items
end

local function from_one(value)
    if type(value) == 'number' then return wildcards(check_port(value)) end
    if type(value) == 'string' then return from_string(value) end
    if type(value) == 'table' then return from_item(value) end
    fail('unknown listen_conf type')
end

---@return boolean # whether the keys are 1..n and no others
local function is_list(value)
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    return count == #value
end

---@param value nil|integer|string|table
---@return httpng.listener[]
function listen.normalise(value)
    if value == nil then return wildcards(DEFAULT_PORT) end
    local given = type(value) == 'table' and is_list(value) and value or { value }
    local items, seen = {}, {}
    for _, one in ipairs(given) do
        for _, item in ipairs(from_one(one)) do
            local key = item.addr .. ' ' .. item.port
            -- Port 0 is a new one each time.
            if seen[key] and item.port ~= 0 then
                fail('Duplicate listeners for %s:%d found: %s', item.addr, item.port, dump(given))
            end
            seen[key] = true
            items[#items + 1] = item
        end
    end
    return items
end

return listen
