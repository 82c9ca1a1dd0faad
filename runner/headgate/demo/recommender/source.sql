-- A source database of invented investors and companies: four groups of investors, each of which favours its own
-- sector. Deterministic, so that every demo shows the same results. Applied to an empty database.

create table public.investors (
    id bigint primary key,
    name text not null,
    is_accelerator boolean not null default false,
    updated_at timestamptz not null default now()
);
create table public.businesses (
    id bigint primary key,
    name text not null,
    status text,
    categories text,
    joined_year integer,
    updated_at timestamptz not null default now()
);
create table public.deals (
    investor_id bigint not null references public.investors,
    business_id bigint not null references public.businesses,
    updated_at timestamptz not null default now(),
    primary key (investor_id, business_id)
);
create table public.users (id bigint primary key, name text not null);
create table public.feedback (id bigint primary key, user_id bigint not null, stars smallint not null);

insert into public.investors (id, name, is_accelerator)
select
    n,
    (array['Amber', 'Birch', 'Cobalt', 'Dune', 'Ember', 'Fjord', 'Grove', 'Harbour', 'Iris', 'Juniper'])[1 + n % 10]
        || ' ' || (array['Capital', 'Partners', 'Ventures', 'Fund', 'Angels', 'Holdings'])[1 + n / 10],
    false
from generate_series(0, 59) as n;
insert into public.investors (id, name, is_accelerator) values (100, 'Launchpad', true);

insert into public.businesses (id, name, status, categories, joined_year)
select
    n,
    (array['Acorn', 'Beacon', 'Cedar', 'Delta', 'Echo', 'Flint', 'Gable', 'Hazel', 'Isle', 'Jetty', 'Kite', 'Lumen'])[
        1 + n % 12
    ] || ' ' || (array['Pay', 'Health', 'Robotics', 'Foods'])[1 + n / 12],
    case when n % 7 = 0 then 'Exited' else 'Operating' end,
    (array['Fintech', 'Health', 'Robotics', 'Food'])[1 + n / 12],
    2018 + n % 6
from generate_series(0, 47) as n;

-- Six or seven companies from an investor's own sector and one from another; the accelerator invests everywhere.
insert into public.deals (investor_id, business_id)
select i.id, i.id % 4 * 12 + (i.id * 7 + k * 5) % 12
from public.investors as i
cross join generate_series(0, 6) as k
where not i.is_accelerator and (k < 6 or i.id % 2 = 0)
union
select i.id, (i.id % 4 + 1) % 4 * 12 + i.id * 5 % 12
from public.investors as i
where not i.is_accelerator
union
select 100, b.id from public.businesses as b;

insert into public.users select n, 'user ' || n from generate_series(1, 120) as n;
insert into public.feedback select n, 1 + n % 120, 1 + n % 5 from generate_series(1, 300) as n;
