-- Blocking is refused, by an error, where it would corrupt.
local fiber = require('fiber')
local results = {}
local function try(where)
    return function()
        local ok, err = pcall(fiber.sleep, 0.01)
        results[where] = ok and 'slept' or tostring(err)
    end
end
-- In a finalizer.
do
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = try('gc')
end
collectgarbage() collectgarbage()
assert(results.gc:find('cannot block here: it is called from a finalizer', 1, true), results.gc)
do
    local ffi = require('ffi')
    ffi.gc(ffi.new('int[1]'), try('ffi gc'))
end
collectgarbage() collectgarbage()
assert(results['ffi gc']:find('finalizer', 1, true), results['ffi gc'])
-- Inside a coroutine of a finalizer.
do
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function() coroutine.wrap(try('gc coroutine'))() end
end
collectgarbage() collectgarbage()
assert(results['gc coroutine']:find('finalizer', 1, true), results['gc coroutine'])
-- In a hook.
jit.off()
local hooked = try('hook')
debug.sethook(function() debug.sethook() hooked() end, '', 1)
for _ = 1, 10 do end
debug.sethook()
jit.on()
assert(results.hook:find('debug hook', 1, true), results.hook)
-- Everywhere else it may: see what is called from C.
same(('abc'):gsub('.', function(c) fiber.sleep(0.001) return c:upper() end), 'ABC')
local list = { 3, 1, 2 }
table.sort(list, function(a, b) fiber.yield() return a < b end)
same(list, { 1, 2, 3 })
local object = setmetatable({}, {
    __index = function(_, k) fiber.yield() return k end,
    __add = function(_, b) fiber.yield() return b end,
    __tostring = function() fiber.yield() return 'me' end,
})
same({ object.key, object + 1, tostring(object) }, { 'key', 1, 'me' })
same(coroutine.wrap(function()
    fiber.yield()
    coroutine.yield('from inside')
end)(), 'from inside')
local parts = { 'return ', '4', '2', nil }
local i = 0
same(load(function() fiber.yield() i = i + 1 return parts[i] end)(), 42)
package.preload.sleepy = function() fiber.sleep(0.01) return 'loaded' end
same(require('sleepy'), 'loaded')
