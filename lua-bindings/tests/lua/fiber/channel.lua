local fiber = require('fiber')
local ch = fiber.channel(2)
same({ ch:is_empty(), ch:is_full(), ch:count(), ch:size() }, { true, false, 0, 2 })
same({ ch:put(1), ch:put('two') }, { true, true })
same({ ch:is_empty(), ch:is_full(), ch:count() }, { false, true, 2 })
same(ch:put(3, 0.1), false)
same({ ch:get(), ch:get() }, { 1, 'two' })
same(ch:get(0.1), nil)
-- Order, with writers and readers that wait.
for i = 1, 6 do fiber.create(function() ch:put(i) end) end
same({ ch:has_writers(), ch:has_readers() }, { true, false })
local got = {}
for _ = 1, 6 do got[#got + 1] = ch:get() end
same(got, { 1, 2, 3, 4, 5, 6 })
same(ch:has_writers(), false)
got = {}
for i = 1, 3 do fiber.create(function() got[i] = ch:get() end) end
same(ch:has_readers(), true)
for i = 1, 3 do ch:put(i * 10) end
fiber.yield()
fiber.yield()
same(got, { 10, 20, 30 })
-- nil and false are values.
ch:put(nil)
ch:put(false)
same(ch:get(), nil)
same(ch:get(), false)
-- Without capacity each put waits for its get.
local direct = fiber.channel()
local done
fiber.create(function() done = direct:put('x') end)
same(done, nil)
same(direct:get(), 'x')
fiber.yield()
same(done, true)
fiber.create(function() done = direct:put('y', 0.5) end)
fiber.sleep(1)
same(done, false)
same(direct:get(0), nil)
-- Closing.
local results = {}
fiber.create(function() results.get = direct:get() results.got = true end)
fiber.create(function() results.put = ch:put(1) and ch:put(1) and ch:put(1) end)
direct:close()
ch:close()
ch:close()
fiber.yield()
same({ results.got, results.get, results.put }, { true, nil, false })
same({ ch:is_closed(), ch:put(1), ch:get() }, { true, false })
-- A cancelled writer takes its value with it.
ch = fiber.channel(1)
ch:put('kept')
local f = fiber.create(function() ch:put('lost') end)
f:cancel()
fiber.yield()
same({ ch:get(), ch:get(0.01) }, { 'kept' })
-- Waking a writer or a reader from outside changes nothing.
ch:put('a')
f = fiber.create(function() ch:put('b') results.b = true end)
f:wakeup()
fiber.yield()
same(results.b, nil)
same({ ch:get(), ch:get() }, { 'a', 'b' })
raises('the size is not a natural number', fiber.channel, -1)
raises('the size is not a natural number', fiber.channel, 'x')
