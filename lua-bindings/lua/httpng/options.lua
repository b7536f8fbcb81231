-- `httpng.options`: what may be asked of `httpng.cfg`: names, defaults, ranges, and the order in
-- which they are checked. A new option is a row of a table here and a line of its annotation.
local compress = require('httpng.compress')
local log = require('log')
local listen = require('httpng.listen')
local reporting = require('httpng.reporting')
local sites = require('httpng.sites')

local options = {}

---@class httpng.config
---@field listen? integer|string|httpng.listener|(integer|string|httpng.listener)[] default: port 3300 of all addresses; a reload needs `reload_listeners` to say anything about it
---@field handler? string|httpng.folder|fun(req: httpng.request, io: httpng.io): table? answers everything that no site does; or a router
---@field sites? {path: string, handler: function|string|httpng.folder, stream?: boolean, max_body_len?: integer, cancel_on_disconnect?: boolean, compress?: boolean|httpng.compress}[] the first whose path matches answers
---@field stream? boolean `handler` is called as soon as the head of a request is there, and reads its body itself
---@field cancel_on_disconnect? boolean the fiber of a request is cancelled when its client leaves; default false
---@field threads? integer 0..256, default 1; 0: the worker runs in the TX thread; a reload may change it
---@field max_conn_per_thread? integer default 262144
---@field max_buffered_bodies? integer bytes of request bodies that may be in memory together, default 32 MiB; beyond it they wait for ten seconds, then 503
---@field max_conn_per_ip? integer connections of one address to all threads together, default 16384; 0: no bound
---@field reserved_for? string|string[] addresses and networks (`'10.0.0.0/8'`) that the last places of a thread are kept for, default the machine itself; `{}`: none are kept
---@field min_receive_rate? integer bytes per second that a client must send of a body, default 500; 0: no bound
---@field min_send_rate? integer bytes per second that a client must take of a response, default 500; 0: no bound
---@field max_shuttles_per_thread? integer requests on their way, default 4096
---@field max_streams_per_conn? integer requests that a connection of HTTP/2 may have open at a time, 1..1024, default 128
---@field max_http2_memory? integer bytes that the streams of all connections of HTTP/2 may take, from 1 MiB, default 32 MiB
---@field max_body_len? integer bytes of a body in memory, default 1 MiB
---@field shuttle_size? integer bytes, default 65536; has no effect
---@field use_body_split? boolean has no effect: bodies of any size are delivered, whole or as a stream
---@field thread_termination_timeout? number seconds, default 60, that threads may take to end, and that handlers may take after their connections were reset; 0 or less: for ever
---@field min_proto_version? 'ssl3'|'tls1'|'tls1.0'|'tls1.1'|'tls1.2'|'tls1.3' default tls1.2
---@field openssl_security_level? integer 0..5; has no effect
---@field header_timeout? number seconds for a request head, default 30
---@field body_timeout? number seconds of silence in a request body, default 60
---@field idle_timeout? number seconds between requests, default 75
---@field write_timeout? number seconds in which a client takes nothing of a response, default 60
---@field ping_after? number seconds of silence after which a client of HTTP/2 that waits for an answer is asked whether it is there, default 30; 0: never
---@field default_send_window? integer bytes of a response that may wait for its client, default 1 MiB and at most that
---@field default_send_timeout? number seconds, default 30; if it is given, writes without `is_last` have it
---@field reload_listeners? boolean a reload may change `listen`, `min_proto_version` and certificates, which are read anew; default false
---@field access_log? string|httpng.access_log a file with a line for each request, `'-'` for standard output; default none
---@field request_id? boolean answers name their request in `X-Request-Id`; default false
---@field trust_request_id? boolean `req.id` is what the client says in `X-Request-Id`; default false
---@field compress? boolean|httpng.compress answers of handlers are compressed for clients that take it; default false
---@field development? boolean clients are shown why a handler failed, with the traceback; default false
---@field stage? 1|2|3|4 in 1 to 3 a write waits until the one before was sent, in 4 (the default) only for room; `close` waits in 1 and 2

-- Name, default, least, most.
local INTEGERS = {
    { 'threads', 1, 0, 256 },
    { 'max_conn_per_thread', 262144, 1, 1024 * 1024 },
    { 'max_shuttles_per_thread', 4096, 1, 65535 },
    { 'max_streams_per_conn', 128, 1, 1024 },
    { 'max_http2_memory', 32 * 1024 * 1024, 1024 * 1024, 2 ^ 53 },
    { 'shuttle_size', 65536, 0, 16 * 1024 * 1024 },
    { 'max_body_len', 1024 * 1024, 0, 2 ^ 53 },
    -- More than that a shuttle does not hold.
    { 'default_send_window', 1024 * 1024, 1, 1024 * 1024 },
    { 'max_conn_per_ip', 16384, 0, 256 * 1024 * 1024 },
    { 'max_buffered_bodies', 32 * 1024 * 1024, 64 * 1024, 2 ^ 53 },
    { 'min_receive_rate', 500, 0, 1024 * 1024 * 1024 },
    { 'min_send_rate', 500, 0, 1024 * 1024 * 1024 },
}

-- Name, default. Ours, in seconds above zero: how long a client may take.
local TIMEOUTS = {
    { 'header_timeout', 30 }, { 'body_timeout', 60 },
    { 'idle_timeout', 75 }, { 'write_timeout', 60 },
}

-- Name. Whatever is neither nil nor false is true.
local FLAGS = {
    { 'use_body_split' },
    { 'reload_listeners' },
    { 'cancel_on_disconnect' },
}

-- Options that have a reader of their own.
local OTHERS = {
    { 'listen' }, { 'handler' }, { 'sites' }, { 'thread_termination_timeout' },
    { 'min_proto_version' }, { 'openssl_security_level' },
    { 'c_sites_func' }, { 'c_sites_func_param' }, { 'stage' },
    { 'default_send_timeout' }, { 'stream' }, { 'access_log' },
    { 'request_id' }, { 'trust_request_id' }, { 'development' },
    { 'reserved_for' }, { 'compress' }, { 'ping_after' },
}

local TLS_VERSIONS = {
    ssl3 = '1.2', tls1 = '1.2', ['tls1.0'] = '1.2', ['tls1.1'] = '1.2',
    ['tls1.2'] = '1.2', ['tls1.3'] = '1.3',
}

local SHUTTLE_SIZE_MIN = 64

local function fail(message, ...) error(message:format(...), 0) end

---An option; NULL of any kind is nil.
local function option(cfg, name)
    local value = cfg[name]
    if type(value) == 'cdata' and value == nil then return nil end
    return value
end

---What a value is as a number, or nil.
local function to_number(value)
    local result = tonumber(value)
    return type(result) == 'number' and result == result and result or nil
end

local function number(cfg, name, default)
    local value = option(cfg, name)
    if value == nil then return default end
    return to_number(value) or fail('parameter %s is not a number', name)
end

local function truncated(value) return value < 0 and math.ceil(value) or math.floor(value) end

---Fractions are cut; what is out of range is told and becomes the nearest possible value.
local function integer(cfg, name, default, min, max)
    local value = truncated(number(cfg, name, default))
    local bound = value < min and min or value > max and max or nil
    if bound then
        log.warn('parameter "%s" is %s, which is %s %.0f: %.0f is used', name, value,
            value < min and 'below' or 'above', bound, bound)
    end
    return bound or value
end

local function timeout(cfg, name, default)
    local value = number(cfg, name, default)
    if value <= 0 then fail('parameter %s is not above zero', name) end
    return value
end

local function read_ping_after(cfg)
    local value = number(cfg, 'ping_after', 30)
    if value < 0 then fail('parameter ping_after is below zero') end
    return value
end

local function read_min_proto(cfg)
    local value = cfg.min_proto_version
    if value == nil then value = 'tls1.2' end
    if type(value) ~= 'string' then fail('min_proto_version is not a string') end
    local version = TLS_VERSIONS[value]
    if not version then fail('unknown min_proto_version specified') end
    if version == '1.2' and value ~= 'tls1.2' then
        log.warn('min_proto_version "%s" is not offered by this server: tls1.2 is used', value)
    end
    return value == 'tls1' and 'tls1.0' or value
end

---The machine itself, unless others are named; whether they are networks is looked at later.
local function read_reserved_for(cfg)
    local value = option(cfg, 'reserved_for')
    if value == nil then return { '127.0.0.0/8', '::1' } end
    if type(value) == 'string' then return { value } end
    if type(value) ~= 'table' then fail('reserved_for is not a string or a table of strings') end
    for key, one in pairs(value) do
        if type(key) ~= 'number' or type(one) ~= 'string' then
            fail('reserved_for is not a string or a table of strings')
        end
    end
    return value
end

local warned_of_security_level = false

local function read_security_level(cfg)
    local value = cfg.openssl_security_level
    if value == nil then return 1 end
    local level = to_number(value) or fail('openssl_security_level is not a number')
    level = truncated(level)
    if level < 0 or level > 5 then fail('openssl_security_level is invalid') end
    if not warned_of_security_level then
        warned_of_security_level = true
        log.warn('openssl_security_level has no effect: TLS is not made by OpenSSL here')
    end
    return level
end

---The choices that a reload changes only by `reload_listeners`: nil leaves them, NULL means the
---default.
local function kept(cfg, name, read, current, may_change)
    if type(cfg[name]) == 'nil' then return current end
    local wanted = read(cfg)
    if wanted ~= current and not may_change then
        fail("%s can't be changed on reconfiguration", name)
    end
    return wanted
end

-- The steps of a check, in httpng's order --------------------------------------------------------

local function check_c_sites(cfg, before)
    local c_sites = option(cfg, 'c_sites_func')
    if c_sites == nil then return end
    if before then fail("Reconfiguration can't be used with C handlers") end
    if type(c_sites) ~= 'function' then fail('c_sites_func must be a function') end
    fail('c_sites_func: handlers in C are not served by this version')
end

local function read_tables(new, cfg)
    for _, row in ipairs(INTEGERS) do new[row[1]] = integer(cfg, unpack(row)) end
    new.thread_termination_timeout = number(cfg, 'thread_termination_timeout', 60)
    new.default_send_timeout = number(cfg, 'default_send_timeout', 30)
    new.has_send_timeout = option(cfg, 'default_send_timeout') ~= nil
    for _, row in ipairs(TIMEOUTS) do new[row[1]] = timeout(cfg, unpack(row)) end
    for _, row in ipairs(FLAGS) do new[row[1]] = option(cfg, row[1]) and true or false end
end

local function read_sites(new, cfg, before)
    new.sites = sites.read(option(cfg, 'sites'), option(cfg, 'handler'),
        option(cfg, 'stream'), new.cancel_on_disconnect, before ~= nil)
    compress.settle(new.sites, option(cfg, 'compress'))
    if before then
        new.sites = sites.in_reload_order(new.sites, before.sites)
    elseif #new.sites == 0 then
        fail('No handlers specified')
    end
end

local function check_shuttle_size(new, before)
    if before and new.shuttle_size ~= before.shuttle_size then
        fail("Reconfiguration can't change shuttle_size")
    end
    if new.shuttle_size < SHUTTLE_SIZE_MIN then
        fail('shuttle_size is too small for Lua handlers')
    end
end

local function read_network(new, cfg, before, listeners)
    if before then
        local may_change = new.reload_listeners
        new.min_proto_version = kept(cfg, 'min_proto_version', read_min_proto,
            before.min_proto_version, may_change)
        new.openssl_security_level = kept(cfg, 'openssl_security_level', read_security_level,
            before.openssl_security_level, may_change)
        if type(cfg.listen) ~= 'nil' and not may_change then
            fail("listen can't be changed on reconfiguration")
        end
        new.listen = listeners or before.listen
    else
        new.min_proto_version = read_min_proto(cfg)
        new.openssl_security_level = read_security_level(cfg)
        new.listen = listeners or listen.normalise(nil)
    end
    new.min_tls = TLS_VERSIONS[new.min_proto_version]
end

local function read_stage(new, cfg)
    local stage = option(cfg, 'stage')
    if stage ~= nil and stage ~= 1 and stage ~= 2 and stage ~= 3 and stage ~= 4 then
        fail('stage is not 1, 2, 3 or 4')
    end
    new.stage = stage
end

---Checks everything; changes nothing.
---@param cfg httpng.config
---@param before? table what was read last, if the server runs
---@param listeners? table the normal form of `cfg.listen`
---@return table
function options.read(cfg, before, listeners)
    local new = {}
    check_c_sites(cfg, before)
    read_tables(new, cfg)
    read_sites(new, cfg, before)
    check_shuttle_size(new, before)
    read_network(new, cfg, before, listeners)
    read_stage(new, cfg)
    new.reserved_for = read_reserved_for(cfg)
    new.ping_after = read_ping_after(cfg)
    reporting.read(new, function(name) return option(cfg, name) end)
    return new
end

local function copy(value)
    if type(value) ~= 'table' then return value end
    local result = {}
    for key, one in pairs(value) do result[key] = copy(one) end
    return result
end

---The normal form of `cfg.listen`, which replaces it there; nil if nothing is said about it. NULL
---is the default.
---@param cfg httpng.config
---@return table?
function options.normalise_listen(cfg)
    local given = cfg.listen
    if type(given) == 'nil' then return nil end
    local listeners = listen.normalise(given)
    -- The caller's is the caller's to change.
    if given ~= nil then cfg.listen = copy(listeners) end
    return listeners
end

local KNOWN = {}
for _, rows in ipairs({ INTEGERS, TIMEOUTS, FLAGS, OTHERS }) do
    for _, row in ipairs(rows) do KNOWN[row[1]] = true end
end

---Says which options nobody reads: most are misspelt.
---@param cfg httpng.config
function options.warn_of_unknown(cfg)
    for name in pairs(cfg) do
        if not KNOWN[name] then
            log.warn('httpng.cfg has no option "%s": it has no effect', tostring(name))
        end
    end
end

return options
