-- `httpng`: the server as programs configure it. What is said here about values, orders of checks
-- and texts of errors is httpng's; programs compare them.
local core = ...
local fiber = require('fiber')
local log = require('log')
local ending = require('httpng.ending')
local listen = require('httpng.listen')
local router = require('httpng.router')

---@class httpng
local httpng = { router = router, cookie = require('httpng.cookie') }

-- Requests ------------------------------------------------------------------------------------

local FIELDS = {
    'method', 'path', 'query', 'host', 'body', 'headers', 'https', 'is_websocket',
    'version_major', 'version_minor', 'peer', 'ouraddr',
}

---A request. Its fields are made when they are read; whoever wants to read them after the handler
---has returned calls `req:keep()` before.
---@class httpng.request
---@field method string as sent; any token
---@field path string without the query, not decoded
---@field query? string what follows the first `?`
---@field host string the authority without the port
---@field body string
---@field headers table<string, string> by lower-case name; cookies and lists are joined, else the last wins
---@field https? boolean true over TLS
---@field is_websocket boolean whether the client asks for a WebSocket
---@field version_major integer
---@field version_minor integer
---@field peer? httpng.address who asks
---@field ouraddr? httpng.address whom they asked
local request = require('httpng.request')

---@class httpng.address
---@field host string
---@field port integer
---@field family 'AF_INET'|'AF_INET6'
---@field type 'SOCK_STREAM'
---@field protocol 'tcp'

---What a router's pattern captured, or nil.
---@param name string
---@return string?
function request:stash(name)
    local stash = rawget(self, '_stash')
    return stash and stash[name]
end

---All values of a header, in the order in which they came.
---@param name string in any case
---@return string[]
function request:header_values(name)
    return core.req_values(self, name)
end

---Reads all fields now, so that they stay when the request is over.
---@return httpng.request self
function request:keep()
    for _, field in ipairs(FIELDS) do rawset(self, field, self[field]) end
    return self
end

-- Responses -----------------------------------------------------------------------------------

---The answer to a request. Every method waits, if it must, until it is its turn to send. When the
---response is over, or its client has left, nothing is sent any more and the methods say so.
---@class httpng.io
---@field headers table<string, string|number|string[]> sent by the first `write`, or by `write_header` without headers
local io = {
    ---Sends a part of the body. The first one sends status 200 and `io.headers` before it. True when
    ---the response is over or the client has left.
    ---@type fun(self: httpng.io, body: string|number, is_last?: boolean): boolean
    write = core.write,
    ---Sends status, headers (`io.headers` if they are left out) and a part of the body, if there is
    ---one. Answers as `write` does.
    ---@type fun(self: httpng.io, code: integer, headers?: table<string, string|number|string[]>, body?: string, is_last?: boolean): boolean
    write_header = core.write_header,
    ---Ends the response.
    ---@type fun(self: httpng.io)
    close = core.close,
    ---Whether the response is over or its client has left.
    ---@type fun(self: httpng.io): boolean
    is_closed = core.is_closed,
    ---Has `f` called once, in a fiber of its own, when the client is gone (`'gone'`) or the response
    ---over (`'done'`); at once if that is so already. Up to 16 functions for one response.
    ---@type fun(self: httpng.io, f: fun(io: httpng.io, how: 'gone'|'done'))
    on_close = core.on_close,
    -- The handler of a drawing says which of its useful works it does.
    _mark = core.mark,
}

---Ordinary access to what a handler returned, for values that have a metatable.
local function flatten(answer)
    return { status = answer.status, headers = answer.headers, body = answer.body }
end

core.set_metatables(
    { __index = core.bind(core.req_index, request), __tostring = function() return 'request' end },
    { __index = core.bind(core.io_index, io), __tostring = function() return 'io' end },
    flatten)

-- Configuration -------------------------------------------------------------------------------

local state = 'idle' -- 'configuring', 'running', 'stopping'
local running -- what was applied last
local debug_hooks = {}

local TLS_VERSIONS = {
    ssl3 = '1.2', tls1 = '1.2', ['tls1.0'] = '1.2', ['tls1.1'] = '1.2',
    ['tls1.2'] = '1.2', ['tls1.3'] = '1.3',
}

local INTEGERS = {
    { 'threads', 1, 0, 256 },
    { 'max_conn_per_thread', 262144, 1, 256 * 1024 * 1024 },
    { 'max_shuttles_per_thread', 4096, 1, 65535 },
    { 'shuttle_size', 65536, 0, 16 * 1024 * 1024 },
    { 'max_body_len', 1024 * 1024, 0, 2 ^ 53 },
}

-- Ours, in seconds: how long a client may take.
local TIMEOUTS = {
    { 'header_timeout', 30 }, { 'body_timeout', 60 },
    { 'idle_timeout', 75 }, { 'write_timeout', 60 },
}

local SHUTTLE_SIZE_MIN = 64

---An option; NULL of any kind is nil.
local function option(cfg, name)
    local value = cfg[name]
    if type(value) == 'cdata' and value == nil then return nil end
    return value
end

local function integer(cfg, name, default, min, max)
    local value = option(cfg, name)
    if value == nil then return default end
    local number = tonumber(value)
    if type(number) ~= 'number' or number ~= number then
        error(('parameter %s is not a number'):format(name), 0)
    end
    number = number < 0 and math.ceil(number) or math.floor(number)
    if number < min then
        log.warn('parameter "%s" is %s, which is below %s: %s is used', name, number, min, min)
        return min
    elseif number > max then
        log.warn('parameter "%s" is %s, which is above %s: %s is used', name, number, max, max)
        return max
    end
    return number
end

local function seconds(cfg, name, default)
    local value = option(cfg, name)
    if value == nil then return default end
    local number = tonumber(value)
    if not number or number ~= number then
        error(('parameter %s is not a number'):format(name), 0)
    end
    return number
end

local function is_callable(value)
    if type(value) == 'function' then return true end
    local meta = getmetatable(value)
    return type(value) == 'table' and type(meta) == 'table' and meta.__call ~= nil
end

---@return {path: string, handler: function}[]
local function read_sites(cfg, is_reload)
    local sites = {}
    local given = option(cfg, 'sites')
    local seen = {}
    local cancels = option(cfg, 'cancel_on_disconnect') and true or false
    local function add(path, handler, own)
        if own == nil then own = cancels end
        if seen[path] then
            if is_reload then
                error(path == '/' and 'duplicated site description for /'
                    or 'duplicated site description', 0)
            end
            error(path == '/' and 'There can be only one "/"' or "Can't add duplicate paths", 0)
        end
        if seen['/'] and not is_reload then
            error('Can\'t add other paths after adding "/"', 0)
        end
        seen[path] = true
        sites[#sites + 1] =
            { path = path, handler = handler, cancel_on_disconnect = own and true or false }
    end
    if given ~= nil then
        if type(given) ~= 'table' then error('sites is not a table', 0) end
        for _, site in ipairs(given) do
            if type(site) ~= 'table' then error('sites is not a table of tables', 0) end
            if site.path == nil then error('sites[].path is nil', 0) end
            if type(site.path) ~= 'string' then error('sites[].path is not a string', 0) end
            if type(site.handler) == 'string' then
                error('sites[].handler: directories are not served by this version', 0)
            end
            if not is_callable(site.handler) then
                error('sites[].handler is not a function or string', 0)
            end
            if site.path:sub(1, 1) ~= '/' then
                log.warn('sites[].path "%s" does not begin with "/": no request matches it',
                    site.path)
            end
            add(site.path, site.handler, option(site, 'cancel_on_disconnect'))
        end
    end
    local handler = option(cfg, 'handler')
    if handler ~= nil then
        if not is_callable(handler) then
            error('handler is not a function or table (router object)', 0)
        end
        add('/', handler)
    end
    return sites
end

---Those that stay keep their order, new ones follow, and `/` is last.
local function in_reload_order(sites, before)
    local by_path, ordered, root = {}, {}, nil
    for _, site in ipairs(sites) do by_path[site.path] = site end
    local function take(path)
        local site = by_path[path]
        by_path[path] = nil
        if site and path == '/' then root = site elseif site then ordered[#ordered + 1] = site end
    end
    for _, site in ipairs(before) do take(site.path) end
    for _, site in ipairs(sites) do take(site.path) end
    ordered[#ordered + 1] = root
    return ordered
end

local function read_min_proto(cfg)
    local value = cfg.min_proto_version
    if value == nil then value = 'tls1.2' end
    if type(value) ~= 'string' then error('min_proto_version is not a string', 0) end
    local version = TLS_VERSIONS[value]
    if not version then error('unknown min_proto_version specified', 0) end
    if version == '1.2' and value ~= 'tls1.2' then
        log.warn('min_proto_version "%s" is not offered by this server: tls1.2 is used', value)
    end
    return value
end

local warned_of_security_level = false

local function read_security_level(cfg)
    local value = cfg.openssl_security_level
    if value == nil then return 1 end
    if type(value) ~= 'number' and type(value) ~= 'string' or not tonumber(value) then
        error('openssl_security_level is not a number', 0)
    end
    local level = math.floor(tonumber(value))
    if level < 0 or level > 5 then error('openssl_security_level is invalid', 0) end
    if not warned_of_security_level then
        warned_of_security_level = true
        log.warn('openssl_security_level has no effect: TLS is not made by OpenSSL here')
    end
    return level
end

---The choices that a reload must not change: nil leaves them, NULL means the default.
local function unchanged(cfg, name, read, current)
    local value = rawget(cfg, name)
    if type(value) == 'nil' then return current end
    local wanted = read(cfg)
    if wanted ~= current then
        error(("%s can't be changed on reconfiguration"):format(name), 0)
    end
    return current
end

-- Options that are not in the tables above.
local OTHERS = {
    listen = true, handler = true, sites = true, thread_termination_timeout = true,
    use_body_split = true, min_proto_version = true, openssl_security_level = true,
    c_sites_func = true, c_sites_func_param = true, stage = true, cancel_on_disconnect = true,
}

---Says which options nobody reads: most are misspelt.
local function warn_of_unknown(cfg)
    local known = setmetatable({}, { __index = OTHERS })
    for _, row in ipairs(INTEGERS) do known[row[1]] = true end
    for _, row in ipairs(TIMEOUTS) do known[row[1]] = true end
    for name in pairs(cfg) do
        if not known[name] then
            log.warn('httpng.cfg has no option "%s": it has no effect', tostring(name))
        end
    end
end

---Checks everything; changes nothing.
local function read(cfg, before, listeners)
    local new = {}
    local c_sites = option(cfg, 'c_sites_func')
    if c_sites ~= nil then
        if before then error("Reconfiguration can't be used with C handlers", 0) end
        if type(c_sites) ~= 'function' then error('c_sites_func must be a function', 0) end
        error('c_sites_func: handlers in C are not served by this version', 0)
    end
    for _, row in ipairs(INTEGERS) do new[row[1]] = integer(cfg, unpack(row)) end
    new.thread_termination_timeout = seconds(cfg, 'thread_termination_timeout', 60)
    for _, row in ipairs(TIMEOUTS) do
        local value = seconds(cfg, row[1], row[2])
        if value <= 0 then error(('parameter %s is not above zero'):format(row[1]), 0) end
        new[row[1]] = value
    end
    new.sites = read_sites(cfg, before ~= nil)
    new.use_body_split = option(cfg, 'use_body_split') and true or false
    if before then
        new.sites = in_reload_order(new.sites, before.sites)
        if new.shuttle_size ~= before.shuttle_size then
            error("Reconfiguration can't change shuttle_size", 0)
        end
    elseif #new.sites == 0 then
        error('No handlers specified', 0)
    end
    if new.shuttle_size < SHUTTLE_SIZE_MIN then
        error('shuttle_size is too small for Lua handlers', 0)
    end
    if before then
        new.min_proto_version =
            unchanged(cfg, 'min_proto_version', read_min_proto, before.min_proto_version)
        new.openssl_security_level = unchanged(cfg, 'openssl_security_level',
            read_security_level, before.openssl_security_level)
        if type(cfg.listen) ~= 'nil' then
            error("listen can't be changed on reconfiguration", 0)
        end
        new.listen = before.listen
    else
        new.min_proto_version = read_min_proto(cfg)
        new.openssl_security_level = read_security_level(cfg)
        new.listen = listeners or listen.normalise(nil)
    end
    new.min_tls = TLS_VERSIONS[new.min_proto_version]
    local stage = option(cfg, 'stage')
    if stage ~= nil and stage ~= 1 and stage ~= 2 and stage ~= 3 then
        error('stage is not 1, 2 or 3', 0)
    end
    new.stage = stage
    return new
end

local function configure(cfg)
    if state == 'stopping' then error('shutdown is in progress', 0) end
    if state == 'configuring' then error('Reconfiguration is already in progress', 0) end
    if running and core.is_shrinking() then
        error('Unable to reconfigure until threads will shut down', 0)
    end
    local listeners
    if option(cfg, 'listen') ~= nil then
        listeners = listen.normalise(cfg.listen)
        cfg.listen = listeners
    end
    local before = running
    local new = read(cfg, before, listeners)
    state = 'configuring'
    warn_of_unknown(cfg)
    local failed = (before and core.reconfigure or core.start)(new)
    if failed then
        state = before and 'running' or 'idle'
        error(failed, 0)
    end
    running, state = new, 'running'
    if core.is_shrinking() then
        ending.reap(core.is_shrinking, core.give_up_leaving, new.thread_termination_timeout)
    end
end

---Starts the server, or replaces its configuration: handlers, sites and limits at once, while
---requests on their way finish with the handler they started with. Options that are left out have
---their defaults. Nothing changes if anything is wrong. More threads serve at once; those that
---are too many finish what they have, and until then another reload fails with `Unable to
---reconfigure until threads will shut down`.
---@param cfg httpng.config
function httpng.cfg(cfg)
    if cfg == nil then error('No parameters specified', 2) end
    if type(cfg) ~= 'table' then error('No parameters specified', 2) end
    local ok, err = pcall(configure, cfg)
    if not ok then error(err, 2) end
end

---@class httpng.config
---@field listen? integer|string|table default: port 3300 of all addresses
---@field handler? fun(req: httpng.request, io: httpng.io): table? answers everything that no site does; or a router
---@field sites? {path: string, handler: function, cancel_on_disconnect?: boolean}[] the first whose path matches answers
---@field cancel_on_disconnect? boolean the fiber of a request is cancelled when its client leaves; default false
---@field threads? integer 0..256, default 1; 0: the worker runs in the TX thread; a reload may change it
---@field max_conn_per_thread? integer default 262144
---@field max_shuttles_per_thread? integer requests on their way, default 4096
---@field max_body_len? integer bytes, default 1 MiB
---@field shuttle_size? integer bytes, default 65536; has no effect
---@field use_body_split? boolean has no effect: bodies of any size are delivered whole
---@field thread_termination_timeout? number seconds, default 60, that threads may take to end, and that handlers may take after their connections were reset; 0 or less: for ever
---@field min_proto_version? 'ssl3'|'tls1'|'tls1.0'|'tls1.1'|'tls1.2'|'tls1.3' default tls1.2
---@field openssl_security_level? integer 0..5; has no effect
---@field header_timeout? number seconds for a request head, default 30
---@field body_timeout? number seconds of silence in a request body, default 60
---@field idle_timeout? number seconds between requests, default 75
---@field write_timeout? number seconds in which a client takes nothing of a response, default 60
---@field stage? 1|2|3 how `close` waits: in 1 and 2 until it is its turn, in 3 (the default) not at all

---Stops the server: resets connections, waits for all handlers. Those that have not ended after
---`timeout` are cancelled, and not waited for any more. `cfg` may be called afterwards.
---@param timeout? number seconds, default `thread_termination_timeout`; 0 or less: for ever
function httpng.shutdown(timeout)
    if state == 'stopping' then error('on_shutdown() is already in progress', 2) end
    if state ~= 'running' then error('Server is not launched', 2) end
    if debug_hooks.inject_shutdown_error then error('Error injected', 2) end
    timeout = ending.seconds(timeout, running.thread_termination_timeout)
    state = 'stopping'
    core.stop()
    local wait = ending.waiter(core.stopped, core.give_up, timeout)
    local function finish()
        core.forget_sites()
        running, state = nil, 'idle'
    end
    -- Whoever waits here may be cancelled, but the server has to be stopped all the same.
    local ok, err = pcall(wait)
    if ok then return finish() end
    fiber.new(function()
        wait()
        finish()
    end)
    error(err, 0)
end

---Counters at this moment: `requests` that came to Lua, `open_requests`, `handler_errors`, `pins`
---(strings that workers read in place), `fibers` at work, and those of the network side:
---`connections`, `accepted`, `responses`, `errors`, `shuttles` that travel, `clients_gone`,
---`bytes_in`, `bytes_out`, `threads` that serve, `threads_ending` after a reload with fewer, and
---`draining`, which is 1 when the server ends.
---@return table<string, integer>
function httpng.stats() return core.stats() end

---Ends threads that a reload made too many now: their connections are reset. Returns when they are
---gone; until then the fiber waits, also for their handlers. Those that have not ended after
---`timeout` are cancelled, and not waited for any more.
---@param timeout? number seconds, default `thread_termination_timeout`; 0 or less: for ever
function httpng.force_decrease_threads(timeout)
    if state == 'stopping' then error('Shutdown is in progress', 2) end
    if state ~= 'running' then error('Not configured, nothing to terminate', 2) end
    timeout = ending.seconds(timeout, running.thread_termination_timeout)
    local have_gone = ending.have_gone(core.is_shrinking)
    local wait = ending.waiter(have_gone, core.give_up_leaving, timeout)
    core.force_shrink()
    wait()
end

---For tests.
function httpng._cfg_debug(hooks)
    debug_hooks = type(hooks) == 'table' and hooks or {}
end

return httpng
