local clock = require('clock')
assert(math.abs(clock.time() - os.time()) < 5)
same(clock.time, clock.realtime)
for _, name in ipairs({ 'monotonic', 'proc', 'thread' }) do
    local a = clock[name]()
    for _ = 1, 1e5 do end
    assert(clock[name]() >= a and a >= 0, name)
    local a64 = clock[name .. '64']()
    assert(type(a64) == 'cdata' and clock[name .. '64']() >= a64, name)
end
assert(clock.time64() / 1000000000ULL - os.time() < 5ULL)
