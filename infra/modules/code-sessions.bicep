import { roles } from 'roles.bicep'
import { developerType, tagsType } from 'types.bicep'

@description('Who may run code beside the app.')
param developer developerType?

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Sessions at once, at the most.')
param maximumSessions int

@description('Name of the pool: letters and digits.')
param name string

@description('Tags.')
param tags tagsType

var sessionExecutor = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  roles.containerAppsSessionExecutor
)

resource pool 'Microsoft.App/sessionPools@2025-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    poolManagementType: 'Dynamic'
    containerType: 'PythonLTS'
    scaleConfiguration: { maxConcurrentSessions: maximumSessions }
    dynamicPoolConfiguration: {
      lifecycleConfiguration: {
        lifecycleType: 'Timed'
        // As in Azure OpenAI's own code interpreter. Azure bills whole hours of a session, so less would save little.
        cooldownPeriodInSeconds: 1800
      }
    }
    // A model writes the code: it must reach nothing outside.
    sessionNetworkConfiguration: { status: 'EgressDisabled' }
  }
}

resource appExecutes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(pool.id, identityId, sessionExecutor)
  scope: pool
  properties: {
    roleDefinitionId: sessionExecutor
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource developerExecutes 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (developer != null) {
  name: guid(pool.id, developer.?principalId ?? '', sessionExecutor)
  scope: pool
  properties: {
    roleDefinitionId: sessionExecutor
    principalId: developer.?principalId ?? ''
    principalType: developer.?principalType
  }
}

@description('Where sessions are asked for.')
output endpoint string = pool.properties.poolManagementEndpoint
