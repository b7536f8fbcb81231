-- A form with a file, a search with parameters, a cookie.     httpng examples/forms.lua [FOLDER]
-- Then open                                                   http://localhost:3300/
-- Uploads are kept in FOLDER; without one they are only looked at.
local httpng = require('httpng')
local folder = ...

local PAGE = [[
<!doctype html>
<title>Forms</title>
<p>You were here %d times before.</p>
<form method="post" action="/upload" enctype="multipart/form-data">
  <p><label>Title <input name="title"></label>
  <p><label>Files <input type="file" name="file" multiple></label>
  <p><button>Send</button>
</form>
<form action="/search"><p><label>Search <input name="q"></label> <button>Find</button></form>
]]

local router = httpng.router.new()

router:route({ path = '/' }, function(req)
    local visits = tonumber(req:cookie('visits')) or 0
    local cookie = httpng.cookie {
        name = 'visits', value = tostring(visits + 1), max_age = 86400,
        http_only = true, same_site = 'lax',
    }
    return {
        headers = { ['content-type'] = 'text/html; charset=utf-8', ['set-cookie'] = cookie },
        body = PAGE:format(visits),
    }
end)

local kept = 0

---A name of our own: that of the client may be any text.
local function keep(file)
    if not folder then return '' end
    kept = kept + 1
    local path = ('%s/upload-%d'):format(folder, kept)
    local ok, why = file:save(path)
    return ok and ', kept as ' .. path or ', not kept: ' .. why
end

router:route({ path = '/upload' }, function(req)
    local form, why, status = req:form { max_files = 8, max_file_bytes = 512 * 1024 }
    if not form then return { status = status, body = why .. '\n' } end
    local lines = { ('"%s"'):format(form.title or '') }
    for _, item in ipairs(form) do
        local file = item[2]
        if type(file) == 'table' then
            lines[#lines + 1] = ('%s: %d bytes%s'):format(file.filename, file.size, keep(file))
        end
    end
    return { body = table.concat(lines, '\n') .. '\n' }
end)

router:route({ path = '/search' }, function(req)
    return { body = ('Nothing was found for "%s".\n'):format(req:param('q') or '') }
end)

router:route({ path = '/json' }, function(req)
    local value, why, status = req:json()
    if why then return { status = status, body = why .. '\n' } end
    return { body = type(value) .. '\n' }
end)

httpng.cfg({ handler = router })
