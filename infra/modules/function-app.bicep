import { tagsType } from 'types.bicep'

@description('Settings of the app by their names.')
param appSettings settingsType

@description('Container with the package of the app.')
param deploymentContainerUrl string

@description('Instances that always wait for requests.')
param httpAlwaysReady int

@description('Requests that one instance takes before another one starts.')
param httpConcurrency int

@description('Resource id of the app\'s identity.')
param identityId string

@description('Memory of an instance in megabytes.')
param instanceMemoryMB int

@description('Region.')
param location string

@description('Most instances.')
param maximumInstanceCount int

@description('Part of the names.')
param name string

@description('Version of Node.')
param nodeVersion string

@description('Subnet of the app. None: the app is in no network.')
param subnetId string?

@description('Tags.')
param tags tagsType

@description('How instances are replaced when code or settings change.')
param updateStrategy 'Recreate' | 'RollingUpdate'

@description('Instances that always wait for background runs.')
param workerAlwaysReady int

@description('Spread over availability zones.')
param zoneRedundant bool

@description('Settings by their names.')
type settingsType = {
  @description('A setting.')
  *: string
}

var alwaysReady = filter(
  [
    { name: 'http', instanceCount: httpAlwaysReady }
    { name: 'function:run-worker', instanceCount: workerAlwaysReady }
  ],
  group => group.instanceCount > 0
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: {
    // Linux.
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: 'func-${name}'
  location: location
  // azd finds the app by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: subnetId
    // siteUpdateStrategy is in public preview: the types of this API version do not have it yet.
    #disable-next-line BCP037
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'node', version: nodeVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
      // Recreate is what an app has without it.
      ...(updateStrategy == 'Recreate' ? {} : { siteUpdateStrategy: { type: updateStrategy } })
    }
    // Flex Consumption refuses most other properties here, ftpsState and linuxFxVersion among them.
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      appSettings: map(items(appSettings), setting => { name: setting.key, value: setting.value })
    }
  }

  // No passwords: a deployment signs in with Entra ID.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Base URL for OpenAI\'s clients.')
output baseUrl string = 'https://${site.properties.defaultHostName}/v1'

@description('Name of the app.')
output name string = site.name
