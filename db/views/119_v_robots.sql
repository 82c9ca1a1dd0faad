-- What sites allow: the rules of their robots.txt that are for Headgate.

drop view if exists headgate.v_robots cascade;

create view headgate.v_robots as
select
    p.name as provider,
    r.pattern,
    r.is_allowed,
    p.crawl_delay,
    replace(replace(replace(replace(
        case when r.pattern like '%$' then left(r.pattern, -1) else r.pattern || '*' end,
        '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'
    ) as fits
from headgate.robots_rules as r
join headgate.providers as p using (provider_id)
order by p.name, length(r.pattern) desc, r.is_allowed desc;

comment on view headgate.v_robots is
    'The rules for Headgate in sites'' robots.txt: of those that match a path, the first in this order decides.';
comment on column headgate.v_robots.provider is 'The site.';
comment on column headgate.v_robots.pattern is 'The start of matching paths; * matches anything, $ the end.';
comment on column headgate.v_robots.is_allowed is 'Whether such pages may be read.';
comment on column headgate.v_robots.crawl_delay is 'The minimum time between two requests that it demands; null: none.';
comment on column headgate.v_robots.fits is 'The same pattern for LIKE.';
