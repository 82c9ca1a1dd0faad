-- The provider of work that asks nobody is there before any plan's rows name it.

insert into headgate.providers (name, description)
values ('local', 'Work that asks nobody: handlers and SQL.')
on conflict (name) do nothing;
