-- `httpng`: the server as programs configure it. What is said here about values, orders of checks
-- and texts of errors is httpng's; programs compare them.
local core = ...
local fiber = require('fiber')
local ending = require('httpng.ending')
local options = require('httpng.options')
local router = require('httpng.router')

---@class httpng
---@field router httpng.router
---@field handler httpng.router a router for programs that need only one: `cfg { handler = httpng.handler }`
local httpng = {
    router = router, handler = router.new(), cookie = require('httpng.cookie'),
}

---Adds a route to `httpng.handler`, as `router:route` does.
---@param options httpng.route.options
---@param handler fun(req: httpng.request, io: httpng.io): table?
function httpng.route(options, handler)
    local wrong = router._add(httpng.handler, options, handler)
    if wrong then error('httpng.route: ' .. wrong, 2) end
end

---Deletes routes of `httpng.handler`, as `router:delete` does.
---@param options string|httpng.route.options
---@return integer count how many there were
function httpng.delete(options)
    local count, wrong = router._delete(httpng.handler, options)
    if wrong then error('httpng.delete: ' .. wrong, 2) end
    return count
end

-- Requests ------------------------------------------------------------------------------------

local FIELDS = {
    'method', 'path', 'query', 'host', 'body', 'headers', 'https', 'is_websocket',
    'version_major', 'version_minor', 'peer', 'ouraddr', 'trailers', 'id',
}

---A request. Its fields are made when they are read, and when a handler ends that other fibers may
---have it from; whoever leaves it somewhere for later without that calls `req:keep()`.
---@class httpng.request
---@field method string as sent; any token
---@field path string without the query, not decoded
---@field query? string what follows the first `?`
---@field host string the authority without the port
---@field body string waited for, in a site that streams; an error if it will not be whole
---@field trailers? table<string, string> by lower-case name; nil until the whole body has been read
---@field headers table<string, string> by lower-case name; cookies and lists are joined, else the last wins
---@field https? boolean true over TLS
---@field is_websocket boolean whether the client asks for a WebSocket
---@field version_major integer
---@field version_minor integer
---@field id string what the request is called in logs: unlike any other, or what the client says (`trust_request_id`)
---@field peer? httpng.address who asks
---@field ouraddr? httpng.address whom they asked
local request = require('httpng.request')

---@class httpng.address
---@field host string
---@field port integer
---@field family 'AF_INET'|'AF_INET6'
---@field type 'SOCK_STREAM'
---@field protocol 'tcp'

---What a router's pattern captured, or was set before; nil if nothing was. With a value: sets it.
---@param name string
---@param ... any the value to keep for whoever asks later; nil forgets it
---@return any
function request:stash(name, ...)
    local stash = rawget(self, '_stash')
    if select('#', ...) == 0 then return stash and stash[name] end
    if not stash then
        stash = {}
        rawset(self, '_stash', stash)
    end
    stash[name] = (...)
    return (...)
end

---All values of a header, in the order in which they came.
---@param name string in any case
---@return string[]
function request:header_values(name)
    return core.req_values(self, name)
end

---Reads all fields now, so that they stay when the request is over; the body not, if it comes in
---pieces or was read in pieces.
---@return httpng.request self
function request:keep()
    for _, field in ipairs(FIELDS) do
        if field ~= 'body' or rawget(self, 'body') or core.has_whole_body(self) then
            rawset(self, field, self[field])
        end
    end
    rawset(self, '_kept', true)
    return self
end

---Reads the body in pieces, as it arrives. In a site that does not stream it is all there.
---@type fun(self: httpng.request, n?: integer, timeout?: number): string?, string?
---The next piece, of `n` bytes at most, as soon as there is any; nil at the end of the body; nil and
---why not: `'timeout'` after so many seconds (it may be tried again), `'closed'` when the client has
---left or the response is complete, `'silent'` when the client sent nothing for `body_timeout`,
---`'too large'`, `'malformed'`.
request.read = core.read

---For loops: `for piece in req:pieces() do`. A body that ends before it is complete, or a timeout,
---raises an error, so that nobody takes a part for the whole.
---@param n? integer bytes of a piece at most
---@param timeout? number seconds to wait for each piece
---@return fun(): string?
function request:pieces(n, timeout)
    return function()
        local piece, why = core.read(self, n, timeout)
        if why then error('the request body is not complete: ' .. why, 2) end
        return piece
    end
end

-- Responses -----------------------------------------------------------------------------------

---The answer to a request. Every method waits, if it must, until it is its turn to send. When the
---response is over, or its client has left, nothing is sent any more and the methods say so.
---@class httpng.io
---@field send_window integer bytes that may be accepted and not sent before a write waits, at most 1 MiB
---@field send_timeout number seconds; once it is assigned, writes without `is_last` have it
---@field headers table<string, string|number|string[]> sent by the first `write`, or by `write_header` without headers
local io = {
    ---Sends a part of the body. The first one sends status 200 and `io.headers` before it. True when
    ---the response is over or the client has left. With a timeout in seconds it waits so long at
    ---most for room in the window, and gives nil, or a result when nothing of the part was sent.
    ---@type fun(self: httpng.io, body: string|number, is_last?: boolean|number): boolean|httpng.send_result?
    write = core.write,
    ---Sends status, headers (`io.headers` if they are left out) and a part of the body, if there is
    ---one, or a timeout in seconds instead of it. Answers as `write` does.
    ---@type fun(self: httpng.io, code: integer, headers?: table<string, string|number|string[]>, body?: string|number, is_last?: boolean): boolean|httpng.send_result?
    write_header = core.write_header,
    ---Sets what is sent behind the body, in place of what was set before; nil takes it back. Leaves
    ---with the end of the response. True: that is over, and they are ignored.
    ---@type fun(self: httpng.io, trailers?: table<string, string|number|string[]>): boolean
    set_trailers = core.set_trailers,
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
    ---How far the body got: bytes that were accepted and bytes that are sent; whether the client
    ---has left before all of it was; whether the head has left.
    ---@type fun(self: httpng.io): httpng.send_stats
    get_send_stats = core.get_send_stats,
    ---Waits until `position` bytes of the body are sent; if it is 0 or below, until not more than
    ---`-position` bytes are accepted and not sent. nil if it is so; a result if the client has left,
    ---the response is over, or the timeout (in seconds, `io.send_timeout` if left out) has passed.
    ---@type fun(self: httpng.io, position: integer, timeout?: number): httpng.send_result?
    wait = core.wait,
    -- The handler of a drawing says which of its useful works it does.
    _mark = core.mark,
}

---Ordinary access to what a handler returned, for values that have a metatable.
local function flatten(answer)
    return {
        status = answer.status,
        headers = answer.headers,
        body = answer.body,
        trailers = answer.trailers,
    }
end

core.set_metatables(
    { __index = core.bind(core.req_index, request), __tostring = function() return 'request' end },
    {
        __index = core.bind(core.io_index, io),
        __newindex = core.io_set_field,
        __tostring = function() return 'io' end,
    },
    flatten, request.keep)

---How far a response got.
---@class httpng.send_stats
---@field current integer bytes of the body that were accepted
---@field sent integer bytes of them that are sent
---@field cancelled boolean
---@field headers_were_sent boolean

---Why something was not sent. `httpng.cancelled` and its neighbours say what is in it.
---@class httpng.send_result

---What `write`, `write_header` or `wait` answered: whether the client has left. nil, for nil.
---@param result? boolean|httpng.send_result
---@return boolean?
function httpng.cancelled(result)
    if type(result) == 'table' then return result.cancelled end
    return result
end

---Whether the head had left.
---@param result? boolean|httpng.send_result
---@return boolean?
function httpng.headers_were_sent(result)
    if type(result) == 'table' then return result.headers_were_sent end
    -- A boolean that is true may stand for a client that left before.
    if result == true then return nil end
    return true
end

---How many bytes of the body were sent by then.
---@param result httpng.send_result
---@return integer
function httpng.body_bytes_sent(result)
    if type(result) ~= 'table' then
        error('there is no send result, everything was accepted', 2)
    end
    return result.body_bytes_sent
end

-- Configuration -------------------------------------------------------------------------------

local state = 'idle' -- 'configuring', 'running', 'stopping'
local running -- what was applied last
local debug_hooks = {}

---Checks and applies; what is said is why it cannot be done.
local function apply(cfg, before, listeners)
    local new = options.read(cfg, before, listeners)
    options.warn_of_unknown(cfg)
    local failed = (before and core.reconfigure or core.start)(new)
    if failed then error(failed, 0) end
    running = new
    if core.is_shrinking() then
        ending.reap(core.is_shrinking, core.give_up_leaving, new.thread_termination_timeout)
    end
    -- Then nobody is answered any more as it was before.
    while core.is_relistening() do fiber.sleep(0.002) end
end

local function configure(cfg)
    local listeners = options.normalise_listen(cfg)
    if state == 'stopping' then error('shutdown is in progress', 0) end
    if state == 'configuring' then error('Reconfiguration is already in progress', 0) end
    if running and core.is_shrinking() then
        error('Unable to reconfigure until threads will shut down', 0)
    end
    -- The fields of a table may be functions that wait, and so may what follows.
    state = 'configuring'
    local ok, err = pcall(apply, cfg, running, listeners)
    state = running and 'running' or 'idle'
    if not ok then error(err, 0) end
end

---Starts the server, or replaces its configuration: handlers, sites and limits at once, while
---requests on their way finish with the handler they started with. Options that are left out have
---their defaults. Nothing changes if anything is wrong. More threads serve at once; those that
---are too many finish what they have, and until then another reload fails with `Unable to
---reconfigure until threads will shut down`.
---Addresses, certificates and the lowest version of TLS change only with `reload_listeners`; then
---it returns when nobody is answered any more as before.
---@param cfg httpng.config
function httpng.cfg(cfg)
    if cfg == nil then error('No parameters specified', 2) end
    if type(cfg) ~= 'table' then error('No parameters specified', 2) end
    local ok, err = pcall(configure, cfg)
    if not ok then error(err, 2) end
end

---Stops the server: waits for a `cfg` that runs, resets connections, waits for all handlers. Those
---that have not ended after `timeout` are cancelled, and not waited for any more. `cfg` may be called
---afterwards.
---@param timeout? number seconds, default `thread_termination_timeout`; 0 or less: for ever
function httpng.shutdown(timeout)
    while state == 'configuring' do fiber.sleep(0.002) end
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

---Counters of this Lua thread at this moment: `requests` that came to Lua, `open_requests`, `handler_errors`, `pins`
---(strings that workers read in place), `fibers` at work, and those of the network side:
---`connections`, `accepted`, `responses`, `errors`, `shuttles` that travel, `clients_gone`,
---`refused` for their address, `evicted` to make room, `timeouts` for being slow,
---`encoder_bytes` that compressing answers takes, `held_bytes` that connections hold, `bytes_in`,
---`bytes_out`,
---`threads` that serve, `threads_ending` after a reload with fewer,
---`draining`, which is 1 when the server ends, and `access_dropped`, the lines that the access log
---lost.
---With `'all'` the sums over all Lua threads, from `connections` to `bytes_out`.
---@param of? 'all'
---@return table<string, integer>
function httpng.stats(of)
    if of == 'all' then return core.stats_of_all() end
    if of ~= nil then error("httpng.stats: 'all' or nothing is expected", 2) end
    return core.stats()
end

---Which Lua thread of the process this is, from 1, and how many there are: `--tx` says that. The
---program runs in each of them, and they share no variables.
---@return integer index
---@return integer count
function httpng.tx() return core.tx() end

---Ends threads that a reload made too many now: their connections are reset. Returns when they are
---gone; until then the fiber waits, also for their handlers. Those that have not ended after
---`timeout` are cancelled, and not waited for any more.
---@param timeout? number seconds, default `thread_termination_timeout`; 0 or less: for ever
function httpng.force_decrease_threads(timeout)
    if state == 'stopping' then error('Shutdown is in progress', 2) end
    if not running then error('Not configured, nothing to terminate', 2) end
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
