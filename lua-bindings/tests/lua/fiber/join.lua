local fiber = require('fiber')
local f = fiber.new(function(...) return select('#', ...), ... end, 1, nil, 3)
f:set_joinable(true)
local r = { f:join() }
same(r[1], true) same(r[2], 3) same(r[3], 1) same(r[4], nil) same(r[5], 3)
raises('the fiber is dead', f.join, f)
-- An error, of any kind.
for _, value in ipairs({ 'text', 42, {}, true }) do
    f = fiber.new(function() error(value, 0) end)
    f:set_joinable(true)
    local ok, err = f:join()
    same(ok, false)
    assert(rawequal(err, value))
end
-- After its end.
f = fiber.new(function() return 'late' end)
f:set_joinable(true)
fiber.sleep(1)
same({ fiber.join(f) }, { true, 'late' })
-- In time and too late.
f = fiber.new(function() fiber.sleep(1) return 1 end)
f:set_joinable(true)
same({ f:join(0.5) }, { false, 'timed out' })
same({ f:join(5) }, { true, 1 })
f = fiber.create(function() fiber.sleep(1) end)
raises('the fiber is not joinable', f.join, f)
local me = fiber.self()
me:set_joinable(true)
raises('a fiber cannot join itself', me.join, me)
me:set_joinable(false)
raises('true or false is expected', f.set_joinable, f, 1)
fiber.sleep(2)
raises('the fiber is dead', f.set_joinable, f, true)
-- The place is that of the program, not one of ours.
local ok, err = pcall(function()
    return (f:join())
end)
same(ok, false)
assert(err:find('join%.lua:%d+: the fiber is dead$'), err)
