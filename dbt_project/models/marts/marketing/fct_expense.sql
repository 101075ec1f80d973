select * from {{ ref('int_expense') }}
