-- A chat room: handlers share plain Lua tables, because they all run in one thread and only
-- change hands where they wait.
--     httpng examples/chat.lua
--     curl -N http://localhost:3300/             one listener (open several)
--     curl -d 'hello all' http://localhost:3300/   one message
local fiber = require('fiber')
local httpng = require('httpng')

local BACKLOG = 100

local messages = {} -- the last BACKLOG messages; messages[i % BACKLOG] has number i
local last = 0
local arrived = fiber.cond()

local function post(req)
    last = last + 1
    messages[last % BACKLOG] = req.body .. '\n'
    arrived:broadcast()
    return { status = 202, body = 'Message ' .. last .. '\n' }
end

-- Sends each message as it comes, until the client leaves.
local function listen(io)
    io:write_header(200, { ['content-type'] = 'text/plain; charset=utf-8' }, 'Welcome.\n')
    local seen = last
    while true do
        while seen < last do
            seen = math.max(seen, last - BACKLOG) + 1 -- a slow listener loses the oldest
            if io:write(messages[seen % BACKLOG]) then
                return
            end
        end
        -- A listener that left is noticed without a message for it: writing nothing asks.
        if not arrived:wait(15) and io:write('') then
            return
        end
    end
end

httpng.cfg({
    handler = function(req, io)
        if req.method == 'POST' then
            return post(req)
        end
        return listen(io)
    end,
})
