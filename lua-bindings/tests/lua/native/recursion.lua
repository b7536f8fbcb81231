-- Whoever calls himself through C gets an error, not the end of the process.

local function overflows(f)
    local ok, err = pcall(f)
    assert(not ok)
    -- Lua's own bound may come first.
    assert(tostring(err):find('stack overflow'), tostring(err))
end

local function replace(text)
    return (text:gsub('.', replace))
end
overflows(function() return replace('a') end)

overflows(function()
    local function again()
        local t = setmetatable({}, { __index = function(_, k) return (k:gsub('.', again)) end })
        return (('a'):gsub('.', t))
    end
    return again()
end)

local function sort()
    table.sort({ 3, 2, 1 }, function(a, b)
        sort()
        return a < b
    end)
end
overflows(sort)

local function wrap()
    return coroutine.wrap(wrap)()
end
overflows(wrap)

local function resume()
    local ok, err = coroutine.resume(coroutine.create(resume))
    if not ok then
        error(err, 0)
    end
end
overflows(resume)

local noisy = setmetatable({}, {})
getmetatable(noisy).__tostring = function(self)
    print(self)
    return 'noisy'
end
overflows(function() print(noisy) end)

local function read()
    load(read)
end
read()

-- What these functions do is what they did.
same(('hello'):gsub('l', '1'), 'he11o')
same(select(2, ('hello'):gsub('l', { l = 'L' })), 2)
raises('bad argument #3', string.gsub, 'a', 'b')
local sorted = { 2, 1 }
table.sort(sorted)
same(sorted, { 1, 2 })
same(coroutine.wrap(function(...) return ... end)(5), 5)
same(load(function() return nil end)(), nil)
