-- Many fibers that do everything at once, and give way in the middle of it. What they compute must
-- not depend on whether they do.
local parks, jitted, fibers, rounds = ...
local fiber, json = require('fiber'), require('json')
if not jitted then jit.off() end
collectgarbage('setpause', 50)
collectgarbage('setstepmul', 400)

local function random_of(seed)
    return function(n)
        seed = (seed * 1103515245 + 12345) % 2147483648
        return math.floor(seed / 65536) % n
    end
end

local function work(seed)
    local random, sum = random_of(seed), 0
    -- The choice to give way has a source of its own, so that it changes nothing else.
    local coin = random_of(seed * 7 + 1)
    local function maybe()
        if not parks then return end
        local face = coin(6)
        if face == 0 then fiber.yield()
        elseif face == 1 then fiber.sleep(0.001 * coin(3))
        elseif face == 2 then collectgarbage('step')
        end
    end
    local function add(x) sum = (sum * 31 + x) % 1000000007 end

    local ops = {}
    ops[0] = function(depth) -- nested pcall, errors of Lua
        local ok, err = pcall(function()
            maybe()
            if depth > 0 then add(1) ops[random(8)](depth - 1) end
            if random(3) == 0 then error({ code = random(100) }) end
            if random(3) == 0 then local x = nil; return x.field end
            maybe()
            return 5
        end)
        add(ok and err or type(err) == 'table' and (err.code or 1) or 2)
    end
    ops[1] = function(depth) -- gsub
        local text = ('abcdef'):gsub('.', function(c)
            maybe()
            if depth > 0 and random(4) == 0 then ops[random(8)](depth - 1) end
            return c:byte() % 2 == 0 and c:upper() or nil
        end)
        for i = 1, #text do add(text:byte(i)) end
    end
    ops[2] = function() -- sort
        local list = {}
        for i = 1, 12 do list[i] = random(100) end
        table.sort(list, function(a, b) maybe() return a < b end)
        for i = 1, 12 do add(list[i]) end
    end
    ops[3] = function(depth) -- metamethods
        local object = setmetatable({ v = random(50) }, {
            __index = function(_, k) maybe() return #k end,
            __add = function(a, b) maybe() return a.v + b.v end,
            __call = function(_, x)
                maybe()
                if depth > 0 then ops[random(8)](depth - 1) end
                return x * 2
            end,
            __concat = function() maybe() return 'joined' end,
            __lt = function(a, b) maybe() return a.v < b.v end,
        })
        add(object.missing + (object + object) + object(3) + #(object .. 'x'))
        add(object < object and 1 or 0)
    end
    ops[4] = function(depth) -- coroutines of the user
        local co = coroutine.wrap(function(a)
            for i = 1, 4 do
                maybe()
                if depth > 0 and random(4) == 0 then ops[random(8)](depth - 1) end
                a = a + coroutine.yield(a + i)
            end
            return a
        end)
        local v = co(random(10))
        for i = 1, 4 do maybe() v = co(i) add(v) end
    end
    ops[5] = function() -- require
        local name = 'stress.' .. seed .. '.' .. random(1000000)
        package.preload[name] = function()
            maybe()
            if random(3) == 0 then error('cannot load', 0) end
            return { value = random(100) }
        end
        local ok, module = pcall(require, name)
        add(ok and module.value or 3)
        package.preload[name], package.loaded[name] = nil, nil
    end
    ops[6] = function() -- Rust, and its errors
        local text = json.encode({ a = { random(10), 'x' }, b = random(2) == 0 })
        maybe()
        add(json.decode(text).a[1])
        local ok, err = pcall(json.decode, '[1,')
        add(ok and 1 or #err)
        ok, err = pcall(fiber.sleep, 'x')
        add(ok and 1 or 2)
        pcall(json.encode, print)
    end
    ops[7] = function() -- garbage, xpcall, varargs, a hot loop
        local s = 0
        for i = 1, 120 do
            local t = { i, tostring(i) }
            s = s + #t[2] + t[1]
            if i % 50 == 0 then maybe() end
        end
        add(s)
        local _, trace = xpcall(function() maybe() error('deep') end, function(e)
            maybe()
            return #tostring(e) > 0 and 'handled' or ''
        end)
        add(#trace)
        add(select('#', (function(...) maybe() return ... end)(nil, s, nil)))
    end

    for _ = 1, rounds do
        ops[random(8)](3)
        maybe()
    end
    return sum
end

local running = {}
for i = 1, fibers do
    running[i] = fiber.new(work, i)
    running[i]:set_joinable(true)
end
local total = 0
for i = 1, fibers do
    local ok, sum = running[i]:join()
    if not ok then error(sum, 0) end
    total = (total * 33 + sum) % 1000000007
end
stress_result = total
