-- One server with a handler for each way to answer that httpng has: a header with its body, a
-- declared length, many small writes, a query, a form, a body sent back, addresses of both ends.
local fiber = require 'fiber'
local httpng = require 'httpng'

local rows = {}
for id = 1, 5000 do rows[id] = 'Row #' .. id end

local large = {}
for i = 1, 30000 do large[i] = ('line %d of 30000\n'):format(i) end
large = table.concat(large)

local TEXT = {
    ['content-type'] = 'text/plain; charset=utf-8',
    ['x-custom-header'] = 'foo',
}

---Answers what the page is not made for, and says that it did.
local function refused(req, io, method)
    if req.method == method then return false end
    io:write_header(500, nil, 'Unsupported HTTP method', true)
    return true
end

local function hello(req, io)
    if refused(req, io, 'GET') then return end
    io:write_header(200, TEXT, 'Small hello', true)
end

local function big(req, io)
    if refused(req, io, 'GET') then return end
    io:write_header(200, {
        ['content-type'] = TEXT['content-type'],
        ['content-length'] = ('%d'):format(#large),
    }, large, true)
end

local function list(req, io)
    if refused(req, io, 'GET') then return end
    io:write_header(200, TEXT)
    for id, row in ipairs(rows) do
        if io:write(row .. '\n', false) then return end
        if id % 2000 == 0 then fiber.sleep(0.001) end
    end
    io:write('<end of list>', true)
end

local function row(req, io)
    if refused(req, io, 'GET') then return end
    local answer
    if not req.query then
        answer = 'no query'
    else
        local id = req.query:match '^id=(%d+)$'
        answer = id and (rows[tonumber(id)] or 'no such row') or 'write ?id=3'
    end
    io:write_header(200, TEXT, answer, true)
end

local function form(req, io)
    if refused(req, io, 'POST') then return end
    io:write_header(200, { ['content-type'] = 'text/html; charset=utf-8' },
        'body="' .. req.body .. '"', true)
end

local function put(req, io)
    if refused(req, io, 'PUT') then return end
    io:write_header(200, { ['content-type'] = 'application/octet-stream' }, req.body, true)
end

local function addresses(req)
    local peer, ours = req.peer, req.ouraddr
    return {
        body = ('%s %s %s -> %s %s %s'):format(
            peer.host, peer.family, peer.protocol, ours.host, ours.type, type(ours.port)),
    }
end

httpng.cfg {
    threads = 4,
    max_conn_per_thread = 64,
    shuttle_size = 1024,
    max_body_len = 16 * 1024 * 1024,
    use_body_split = true,
    listen = { { addr = '127.0.0.1', port = 0 } },
    sites = {
        { path = '/hello', handler = hello },
        { path = '/large', handler = big },
        { path = '/multi', handler = list },
        { path = '/row', handler = row },
        { path = '/form', handler = form },
        { path = '/put', handler = put },
        { path = '/ip', handler = addresses },
    },
}
