-- Roles and rights of Carillon with least privilege, for psql 15 or newer. Once, as a superuser of the server:
--
--   CARILLON_OWNER_PASSWORD=... CARILLON_NODE_PASSWORD=... psql -d postgres -f deploy/postgresql.sql
--
-- `carillon_owner` owns the schema: `carillon migrate` uses it, at installation and at upgrades, and nothing else does.
-- `carillon` is what nodes and operators' commands use: it reads and writes rows, and can neither change a table nor drop
-- one. The partitions of each day are made, and those beyond their age dropped, by one function that runs with the owner's
-- rights and does nothing but that. Nodes are started with `no-migrate`.
--
-- Names can be changed: -v database=... -v owner=... -v node=...

\set ON_ERROR_STOP on
\if :{?database} \else \set database carillon
\endif
\if :{?owner} \else \set owner carillon_owner
\endif
\if :{?node} \else \set node carillon
\endif
\getenv owner_password CARILLON_OWNER_PASSWORD
\getenv node_password CARILLON_NODE_PASSWORD
\if :{?owner_password} \else \set owner_password ''
\endif
\if :{?node_password} \else \set node_password ''
\endif
SELECT length(:'owner_password') > 0 AND length(:'node_password') > 0 AS has_passwords \gset
\if :has_passwords \else
  DO $$ BEGIN RAISE 'set CARILLON_OWNER_PASSWORD and CARILLON_NODE_PASSWORD in the environment'; END $$;
\endif

CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
-- Lock sessions, work and reads of three nodes, and some commands of operators: see operators-guide.md.
CREATE ROLE :"node" LOGIN PASSWORD :'node_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION
  CONNECTION LIMIT 60;

CREATE DATABASE :"database" OWNER :"owner" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"node";

\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA carillon AUTHORIZATION :"owner";
GRANT USAGE ON SCHEMA carillon TO :"node";

-- What the migrations will make.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA carillon
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"node";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA carillon GRANT USAGE, SELECT ON SEQUENCES TO :"node";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA carillon GRANT EXECUTE ON FUNCTIONS TO :"node";
