-- SPDX-License-Identifier: Apache-2.0
-- As 0001_service.sql says. A dump that is loaded into a new database brings
-- the tables with their collations, but leaves the database its own, which what
-- is made from here on would take.

ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
