select *
from (values (1, 'E001', 'An Li', 1), (2, 'E002', 'Bo Wang', 2)) as employee (employee_id, employee, employee_name, department_id)
