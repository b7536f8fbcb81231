-- Runs once, before the modules: where `require` looks.

local home = os.getenv('HOME')

---Appends templates that are not there yet.
---@param path string
---@param templates string[]
---@return string
local function extended(path, templates)
    for _, template in ipairs(templates) do
        if not (';' .. path .. ';'):find(';' .. template .. ';', 1, true) then
            path = path .. ';' .. template
        end
    end
    return path
end

-- Whoever sets LUA_PATH or LUA_CPATH says all there is to say (a `;;` in it stands for the
-- default).
if not os.getenv('LUA_PATH') then
    local templates = {
        '/usr/local/share/lua/5.1/?.lua', '/usr/local/share/lua/5.1/?/init.lua',
        '/usr/share/lua/5.1/?.lua', '/usr/share/lua/5.1/?/init.lua',
    }
    if home then
        table.insert(templates, 1, home .. '/.luarocks/share/lua/5.1/?.lua')
        table.insert(templates, 2, home .. '/.luarocks/share/lua/5.1/?/init.lua')
    end
    package.path = extended(package.path, templates)
end

if not os.getenv('LUA_CPATH') then
    local ext = jit.os == 'Windows' and 'dll' or 'so'
    local templates = { '/usr/local/lib/lua/5.1/?.' .. ext, '/usr/lib/lua/5.1/?.' .. ext }
    local cpu = ({ x64 = 'x86_64', arm64 = 'aarch64' })[jit.arch]
    if jit.os == 'Linux' and cpu then
        templates[#templates + 1] = '/usr/lib/' .. cpu .. '-linux-gnu/lua/5.1/?.' .. ext
    end
    if home then
        table.insert(templates, 1, home .. '/.luarocks/lib/lua/5.1/?.' .. ext)
    end
    package.cpath = extended(package.cpath, templates)
end

---@class box
---@field NULL ffi.cdata* `nil` that can stand in a table. It equals nil in comparisons.
box = rawget(_G, 'box') or {}
box.NULL = box.NULL or require('ffi').cast('void *', 0)
