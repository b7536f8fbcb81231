-- Market data: each client gets the newest price as soon as it can take it. A tick that is out of
-- date before a slow client could have it is dropped: nobody is sent history, and nothing piles up.
--     httpng examples/ticker.lua
--     curl -N http://localhost:3300/                        every tick
--     curl -N --limit-rate 2k http://localhost:3300/        the newest ones only
--     curl http://localhost:3300/clients                    what was sent and dropped
local fiber = require('fiber')
local httpng = require('httpng')

local BEHIND_MAX = 4096 -- bytes that a client may be behind before ticks are dropped for it
local PATIENCE = 30 -- seconds in which it takes nothing, after which it is given up
local BOOK = ('.'):rep(1000) -- what else a tick says: the orders of the book

local tick = 0 -- the number of the newest one
local line = '' -- and its text
local ticked = fiber.cond()

fiber.create(function()
    local price = 100
    while true do
        fiber.sleep(0.001)
        price = price + math.random(-10, 10) / 100
        tick = tick + 1
        line = ('%d %.2f %s\n'):format(tick, price, BOOK)
        ticked:broadcast()
    end
end)

local clients = {}

local function stream(req, io)
    local counts = { sent = 0, dropped = 0 }
    clients[req.query or '?'] = counts
    io:write_header(200, { ['content-type'] = 'text/plain' })
    local seen = tick
    while true do
        while seen == tick do
            ticked:wait()
        end
        counts.dropped = counts.dropped + tick - seen - 1
        seen = tick
        counts.sent = counts.sent + 1
        if io:write(line, PATIENCE) then
            return
        end
        -- Whoever is far behind is waited for: what is newest then is what it gets.
        local stats = io:get_send_stats()
        if stats.current - stats.sent > BEHIND_MAX and io:wait(-BEHIND_MAX, PATIENCE) then
            return
        end
    end
end

local function list()
    local lines = {}
    for name, counts in pairs(clients) do
        lines[#lines + 1] = ('%s: %d sent, %d dropped\n'):format(name, counts.sent, counts.dropped)
    end
    table.sort(lines)
    return { headers = { ['content-type'] = 'text/plain' }, body = table.concat(lines) }
end

httpng.cfg({
    sites = { { path = '/clients', handler = list } },
    handler = stream,
})
