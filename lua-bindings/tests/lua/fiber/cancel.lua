local fiber = require('fiber')
local how
local f = fiber.create(function()
    local ok, err = pcall(fiber.sleep, 100)
    how = { ok, tostring(err) }
    fiber.testcancel()
    how = 'testcancel did not raise'
end)
f:cancel()
fiber.yield()
same(how, { false, 'fiber is cancelled' })
same(f:status(), 'dead')
f:cancel()
-- Before it starts: it starts, and learns of it where it first waits.
local started, went_on
f = fiber.new(function() started = true fiber.yield() went_on = true end)
f:cancel()
fiber.yield()
fiber.yield()
same({ started, went_on }, { true })
-- Oneself.
f = fiber.new(function() fiber.self():cancel() end)
f:set_joinable(true)
same({ f:join() }, { false, 'fiber is cancelled' })
fiber.kill(fiber.create(fiber.sleep, 10))
