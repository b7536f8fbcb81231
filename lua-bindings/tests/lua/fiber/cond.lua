local fiber = require('fiber')
local cond = fiber.cond()
local order = {}
for i = 1, 3 do
    fiber.create(function()
        local woken = cond:wait()
        order[#order + 1] = { i, woken }
    end)
end
cond:signal()
fiber.yield()
same(order, { { 1, true } })
cond:broadcast()
fiber.yield()
same(order, { { 1, true }, { 2, true }, { 3, true } })
-- Nobody waits: nothing is kept.
cond:signal()
same(cond:wait(0.1), false)
-- The signal of a cancelled waiter goes to the next.
local got
local a = fiber.create(function() cond:wait() got = 'a' end)
fiber.create(function() cond:wait() got = 'b' end)
cond:signal()
a:cancel()
fiber.yield()
fiber.yield()
same(got, 'a')
got = nil
cond:signal()
fiber.yield()
same(got, 'b')
a = fiber.create(function() cond:wait() got = 'a' end)
fiber.create(function() cond:wait() got = 'c' end)
a:cancel()
cond:signal()
fiber.yield() -- the cancelled one ends, and passes the signal on
fiber.yield()
same(got, 'c')
-- One who waits for ever does not make those who give up pile up.
local forever = fiber.create(function() cond:wait() end)
for _ = 1, 1000 do cond:wait(0.001) end
assert(cond._waiters.last - cond._waiters.first < 50)
forever:cancel()
raises('the timeout is not a number', cond.wait, cond, 'x')
